// The order in which a walk comes by the directories of a live tree: a directory, what is in it,
// what follows it; each level in the order of its listing.
#pragma once

#include <cstddef>
#include <string>

#include "volume/tree.h"

namespace lazyvol::volume {

/// Directories that a walk may pass over between two that it opens.
inline constexpr std::size_t kWalkReach = 4;

/// Whether a walk that opened the directory `last` comes by the directory `name` of `parent` next,
/// or soon. As far as listings are decoded in memory; else no. Thread-safe; microseconds.
bool comes_soon_after(Tree& tree, NodeId last, NodeId parent, const std::string& name);

}  // namespace lazyvol::volume
