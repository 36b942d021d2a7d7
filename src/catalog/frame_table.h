// The frames that a page refers to, each once. docs/format.md, "Frame table".
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "catalog/column.h"
#include "catalog/frame.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

/// A view of the table in a page, whose bytes must outlive it. Thread rule: immutable.
class FrameTable {
 public:
  FrameTable() = default;
  /// Takes a table off `in`, which has failed() after damage.
  explicit FrameTable(base::ByteReader& in);

  std::size_t size() const { return stored_.size(); }
  /// Errors: corrupt, for a number past the end and for a row that check_frame_ref() refuses.
  Result<FrameRef> at(std::uint64_t index) const;

 private:
  std::string_view packs_, hashes_;
  Column pack_, gap_, stored_, raw_;
};

/// Collects frames for a page.
class FrameTableWriter {
 public:
  /// The number of `ref` in the table: the old one, when it is there already.
  std::uint32_t add(const FrameRef& ref);
  /// Appends `ref` even if it is there already.
  std::uint32_t append(const FrameRef& ref);
  std::size_t size() const { return frames_.size(); }
  void write(base::ByteWriter& out) const;

 private:
  struct Hash {
    std::size_t operator()(const FrameRef& ref) const noexcept { return DigestHash()(ref.hash); }
  };
  std::vector<FrameRef> frames_;
  std::unordered_map<FrameRef, std::uint32_t, Hash> numbers_;
};

}  // namespace lazyvol::catalog
