// The operations of the low-level API, each translated to one call of a Volume.
#pragma once

#include <memory>

#include "fuse/call.h"
#include "fuse/handle_table.h"
#include "fuse/listing_expiry.h"
#include "fuse/lowlevel.h"
#include "fuse/open_by.h"
#include "fuse/open_modes.h"
#include "fuse/passthrough.h"
#include "fuse/recent.h"
#include "lazyvol/volume.h"

namespace lazyvol::fuse {

/// The user data of a fuse_session. Outlives it.
struct Bridge {
  Bridge(std::shared_ptr<Volume> of, OpenBy by)
      : volume(std::move(of)),
        opens_by_kernel(by == OpenBy::kernel),
        passthrough(by == OpenBy::passthrough) {}

  const std::shared_ptr<Volume> volume;
  /// The kernel opens and closes without asking: what it reads is found by its node.
  const bool opens_by_kernel;
  CallContext calls;
  Passthrough passthrough;
  OpenModes modes{passthrough};
  HandleTable<File> files;
  HandleTable<Directory> directories;
  Recent<File> recent_files;
  Recent<Directory> recent_directories;
  std::unique_ptr<ListingExpiry> listings;  ///< with opens_by_kernel only
};

/// Static storage. The session's user data must be a Bridge*.
const fuse_lowlevel_ops& operations();

/// The longest read that the kernel may ask for; also the mount option max_read.
inline constexpr unsigned kMaxRead = 1 << 20;

}  // namespace lazyvol::fuse
