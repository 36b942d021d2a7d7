// The rows of a publisher's state in memory, by id and by inode.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "publish/state.h"

namespace lazyvol::publish {

/// Thread rule: one thread.
class FileRows {
 public:
  explicit FileRows(std::vector<FileRow> by_rising_id);

  std::size_t size() const { return rows_.size(); }
  const FileRow& at(std::size_t number) const { return rows_[number]; }
  /// The number of the row of `id`.
  std::optional<std::size_t> find(NodeId id) const;
  /// The numbers of the rows that name this inode, by rising id.
  std::vector<std::size_t> find(const Inode& inode);

  /// Drops the rows whose mark is false; the answer is their ids.
  std::vector<NodeId> retain(const std::vector<bool>& marks);
  /// Adds rows of other ids, in any order.
  void add(std::vector<FileRow> rows);

 private:
  std::vector<FileRow> rows_;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> by_inode_;  ///< made when first needed
};

}  // namespace lazyvol::publish
