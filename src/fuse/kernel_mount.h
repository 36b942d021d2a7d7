// The kernel's side of a mount: umount, and what cannot be said in INIT.
#pragma once

#include <filesystem>

#include "lazyvol/error.h"

namespace lazyvol::fuse {

/// Detaches what is mounted at `mountpoint`; with `lazy` also when it is in use. As another user
/// than root through fusermount3. Errors: busy, not_found (not mounted), access_denied.
Status unmount_path(const std::filesystem::path& mountpoint, bool lazy);

/// Sets the kernel's readahead of a mount. Needs root; without effect otherwise.
void set_readahead(const std::filesystem::path& mountpoint, unsigned kib);

}  // namespace lazyvol::fuse
