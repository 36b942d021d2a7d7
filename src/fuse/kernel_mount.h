// The kernel's side of a mount: umount, and what cannot be said in INIT.
#pragma once

#include <filesystem>

#include <string>

#include "lazyvol/error.h"

namespace lazyvol::fuse {

/// Detaches what is mounted at `mountpoint`; with `lazy` also when it is in use. As another user
/// than root through fusermount3. Errors: busy, not_found (not mounted), access_denied.
Status unmount_path(const std::filesystem::path& mountpoint, bool lazy);

/// Sets the kernel's readahead of the mount with that device ("MAJOR:MINOR"). Needs root; without
/// effect otherwise.
void set_readahead(const std::string& device, unsigned kib);

}  // namespace lazyvol::fuse
