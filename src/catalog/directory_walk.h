// Listing one directory, leaf after leaf.
//
// Pure: `for (;;) { descend to key(); walk.take(leaf); }` until finished(). Each leaf is found from
// the root, whose pages are at hand, so nothing is kept between two steps but the next name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "catalog/leaf_page.h"
#include "lazyvol/entry.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

/// A name and what readdirplus shows of it.
struct ListedEntry {
  std::string name;
  Attributes attributes;
};

class DirectoryWalk {
 public:
  /// Lists the names of `directory` that are greater than `after` (empty: all).
  DirectoryWalk(NodeId directory, std::string_view after);

  /// The key to descend to for the next leaf. An absent leaf means the end: call finish().
  const std::string& key() const { return key_; }
  bool finished() const { return finished_; }
  void finish() { finished_ = true; }

  /// Appends the names of `leaf` to `out`, until `out` has `limit`. Errors: corrupt.
  Status take(const LeafPage& leaf, std::size_t limit, std::vector<ListedEntry>& out);

 private:
  NodeId directory_;
  std::string key_;
  bool finished_ = false;
};

}  // namespace lazyvol::catalog
