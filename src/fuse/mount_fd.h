// Makes a FUSE mount and hands over its connection, without libfuse: whoever holds the descriptor
// serves the mount, so that a process may pass it on.
//
// Sources: mount(2) options of the kernel's Documentation/filesystems/fuse.rst; fusermount3(1)
// passes the descriptor over the socket named by _FUSE_COMMFD.
#pragma once

#include <filesystem>
#include <string>

#include "lazyvol/error.h"

namespace lazyvol::fuse {

struct MountRequest {
  std::filesystem::path mountpoint;  ///< an existing directory, absolute
  std::string fsname;
  bool allow_other = false;
  bool default_permissions = true;
  bool noexec = false;
  unsigned max_read = 1 << 20;
};

/// Mounts read-only, nosuid, nodev, as type fuse.lazyvol. Answers with the open descriptor of the
/// connection (close-on-exec), owned by the caller. As root by mount(2), else through fusermount3.
/// Errors: access_denied, not_found, busy, each with what to do about it. Thread-safe.
Result<int> mount_fuse(const MountRequest& request);

}  // namespace lazyvol::fuse
