// The operations of the low-level API, each translated to one call of a Volume.
#pragma once

#include <memory>

#include "fuse/call.h"
#include "fuse/handle_table.h"
#include "fuse/lowlevel.h"
#include "lazyvol/volume.h"

namespace lazyvol::fuse {

/// The user data of a fuse_session. Outlives it.
struct Bridge {
  std::shared_ptr<Volume> volume;
  CallContext calls;
  HandleTable<File> files;
  HandleTable<Directory> directories;
};

/// Static storage. The session's user data must be a Bridge*.
const fuse_lowlevel_ops& operations();

/// The longest read that the kernel may ask for; also the mount option max_read.
inline constexpr unsigned kMaxRead = 1 << 20;

}  // namespace lazyvol::fuse
