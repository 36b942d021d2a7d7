// The kernel's side of a mount: /proc/self/mountinfo, umount, and what cannot be said in INIT.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lazyvol/error.h"

namespace lazyvol::fuse {

/// One line of /proc/self/mountinfo (proc(5)).
struct KernelMount {
  std::string device;      ///< "major:minor"
  std::string mountpoint;  ///< unescaped
  std::string type;        ///< "fuse.lazyvol"
  std::string source;      ///< unescaped
};

/// The type under which our mounts show.
inline constexpr const char* kMountType = "fuse.lazyvol";

/// Parses mountinfo text; lines of another shape are left out. Pure.
std::vector<KernelMount> parse_mountinfo(std::string_view text);
/// All mounts of this process's mount namespace, oldest first.
std::vector<KernelMount> kernel_mounts();
/// The topmost mount at exactly `mountpoint` (absolute, as the kernel writes it).
std::optional<KernelMount> mount_at(const std::filesystem::path& mountpoint);

/// Detaches what is mounted at `mountpoint`; with `lazy` also when it is in use. As another user
/// than root through fusermount3. Errors: busy, not_found (not mounted), access_denied.
Status unmount_path(const std::filesystem::path& mountpoint, bool lazy);

/// Sets the kernel's readahead of a mount. Needs root; without effect otherwise.
void set_readahead(const KernelMount& mount, unsigned kib);

}  // namespace lazyvol::fuse
