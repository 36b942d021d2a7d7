// The kernel's table of mounts, and which lazyvol mount a path lies on.
//
// Format: proc(5), /proc/PID/mountinfo.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "lazyvol/error.h"

namespace lazyvol::daemon {

inline constexpr std::string_view kFuseType = "fuse.lazyvol";

struct MountInfo {
  std::string device;  ///< "MAJOR:MINOR": the same for every bind mount of a file system
  std::string root;    ///< the directory of the file system that shows here; "/" unless bound
  std::string mountpoint;
  std::string type;  ///< "fuse.lazyvol" for ours
  std::string source;
  bool lazyvol() const { return type == kFuseType; }
};

/// Parses the text of mountinfo; lines that are not understood are left out. \040 and the like are
/// decoded.
std::vector<MountInfo> parse_mount_info(std::string_view text);

/// The mounts that this process sees. Errors: those of reading /proc/self/mountinfo.
Result<std::vector<MountInfo>> read_mount_info();

/// A place on a lazyvol mount.
struct MountedPath {
  std::string mountpoint;  ///< as the daemon knows it
  std::string path;        ///< volume-relative raw bytes, "" for the root
};

/// Where the absolute, normal `path` lies. Sees through bind mounts.
/// Errors: invalid_argument when that is not a lazyvol mount.
Result<MountedPath> find_mounted_path(const std::vector<MountInfo>& mounts,
                                      const std::string& path);

/// The mount that is visible at exactly `mountpoint` (the last one made there), or nullptr.
const MountInfo* mount_at(const std::vector<MountInfo>& mounts, std::string_view mountpoint);

/// `path` made absolute: symlinks resolved as far as the file system answers, else by its text
/// alone (a dead mount answers nothing).
std::string absolute_path(const std::string& path);

/// True when the kernel says that nobody serves `mountpoint` any more (ENOTCONN).
bool is_dead_mount(const std::string& mountpoint);

}  // namespace lazyvol::daemon
