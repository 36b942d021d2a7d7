// The entries of the catalog before, in memory, for the next one to keep what has not changed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/entry.h"
#include "catalog/head.h"
#include "catalog/page_store.h"
#include "lazyvol/error.h"

namespace lazyvol::git {

/// Thread rule: immutable once it is loaded.
class OldEntries {
 public:
  struct Old {
    NodeId directory = 0, id = 0;
    NodeType type = NodeType::file;
    std::uint32_t mode = 0;
    std::uint64_t size = 0;
    std::int64_t mtime_ns = 0;
    std::string name;
    std::string key;  ///< the object's name, or the target of a link; empty for what has neither
  };

  OldEntries() = default;
  /// Reads all entries of `head`. Errors: those of the reader; corrupt.
  static Result<OldEntries> load(catalog::PageReader& reader, const catalog::Head& head);

  /// The names in a directory, in order.
  std::span<const Old> in(NodeId directory) const;
  std::span<const Old> all() const { return entries_; }

 private:
  std::vector<Old> entries_;
};

/// What makes an entry the one that it was before.
std::string content_key_of(const catalog::Entry& entry);

}  // namespace lazyvol::git
