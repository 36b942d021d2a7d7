// Which lazyvol mount a path lies on, and where.
#pragma once

#include <string>
#include <vector>

#include "fuse/mount_info.h"
#include "lazyvol/error.h"

namespace lazyvol::daemon {

/// A place on a lazyvol mount.
struct MountedPath {
  std::string mountpoint;  ///< as the daemon knows it
  std::string path;        ///< volume-relative raw bytes, "" for the root
};

/// Where the absolute, normal `path` lies. Sees through bind mounts.
/// Errors: invalid_argument when that is not a lazyvol mount.
Result<MountedPath> find_mounted_path(const std::vector<fuse::MountInfo>& mounts,
                                      const std::string& path);

/// `path` made absolute: symlinks resolved as far as the file system answers, else by its text
/// alone (a dead mount answers nothing).
std::string absolute_path(const std::string& path);

/// True when the kernel says that nobody serves `mountpoint` any more (ENOTCONN).
bool is_dead_mount(const std::string& mountpoint);

}  // namespace lazyvol::daemon
