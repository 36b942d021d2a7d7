// lazyvol's values as libfuse's structures.
#pragma once

#include <chrono>

#include "fuse/lowlevel.h"
#include "lazyvol/volume.h"

namespace lazyvol::fuse {

/// All fields of stat(2) that a read-only volume has. st_blocks counts the whole size (what a copy
/// would take), whatever is cached.
struct stat to_stat(const Attributes& attributes);
/// An entry with a fixed generation: ids are never used twice in a volume's life.
fuse_entry_param to_entry(const Node& node);
/// Seconds, as libfuse wants timeouts. At most a year, so that the kernel's jiffies never overflow.
double to_seconds(std::chrono::milliseconds duration);
/// S_IFREG, S_IFDIR or S_IFLNK.
mode_t to_format(NodeType type);

}  // namespace lazyvol::fuse
