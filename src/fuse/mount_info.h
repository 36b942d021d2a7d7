// The kernel's table of mounts.
//
// Format: proc(5), /proc/PID/mountinfo.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lazyvol/error.h"

namespace lazyvol::fuse {

/// The type under which our mounts show.
inline constexpr const char* kMountType = "fuse.lazyvol";

struct MountInfo {
  std::string device;  ///< "MAJOR:MINOR": the same for every bind mount of a file system
  std::string root;    ///< the directory of the file system that shows here; "/" unless bound
  std::string mountpoint;
  std::string type;  ///< "fuse.lazyvol" for ours
  std::string source;
  bool lazyvol() const { return type == kMountType; }
};

/// Parses the text of mountinfo, oldest mount first; lines that are not understood are left out.
/// \040 and the like are decoded. Pure.
std::vector<MountInfo> parse_mount_info(std::string_view text);

/// The mounts that this process sees. Errors: those of reading /proc/self/mountinfo.
Result<std::vector<MountInfo>> read_mount_info();

/// The mount that is visible at exactly `mountpoint` (the last one made there), or nullptr.
const MountInfo* mount_at(const std::vector<MountInfo>& mounts, std::string_view mountpoint);

}  // namespace lazyvol::fuse
