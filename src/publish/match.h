// Which name of a tree is which entry of the revision before.
//
// An entry keeps its id by its place (directory and name), or, when the place is new, by its inode:
// so a renamed directory is one change, and what is in it none. A file keeps its id only as long as
// its bytes; a symbolic link as long as its target.
#pragma once

#include <cstdint>
#include <vector>

#include "publish/file_rows.h"
#include "publish/old_tree.h"
#include "publish/tree.h"

namespace lazyvol::publish {

struct Match {
  /// All directories in the order of their ids, those without an id yet behind them as they will
  /// get one. Walked with their children: the order of the catalog.
  std::vector<std::uint32_t> directories;
  /// The files to read, in the same order.
  std::vector<std::uint32_t> to_read;
  std::uint64_t files_unchanged = 0;
  std::vector<bool> claimed;  ///< rows whose id lives on, or may
};

/// Sets `id` and `fate` of all nodes of `tree`.
Match match_tree(Tree& tree, const OldTree& old, FileRows& rows);

/// Gives an id to each node that has none, from `next_id` on, in the order of the catalog. Returns
/// the next one.
NodeId number_nodes(Tree& tree, const Match& match, NodeId next_id);

}  // namespace lazyvol::publish
