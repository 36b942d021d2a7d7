#include "daemon/mounted_path.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace lazyvol::daemon {
namespace fs = std::filesystem;
using fuse::MountInfo;
namespace {

/// True when `path` is `directory` or lies below it.
bool within(const std::string& path, const std::string& directory) {
  if (directory == "/") return path.starts_with('/');
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

/// What of `path` lies below `directory`, without a leading slash.
std::string below(const std::string& path, const std::string& directory) {
  std::string rest = path.substr(directory == "/" ? 0 : directory.size());
  rest.erase(0, std::min(rest.find_first_not_of('/'), rest.size()));
  return rest;
}

}  // namespace

Result<MountedPath> find_mounted_path(const std::vector<MountInfo>& mounts,
                                      const std::string& path) {
  const MountInfo* covering = nullptr;
  for (const auto& mount : mounts) {  // later mounts at the same place hide earlier ones
    if (!within(path, mount.mountpoint)) continue;
    if (covering == nullptr || mount.mountpoint.size() >= covering->mountpoint.size()) {
      covering = &mount;
    }
  }
  if (covering == nullptr || !covering->lazyvol()) {
    return Error{Code::invalid_argument, path + ": is not on a lazyvol mount"};
  }
  std::string inside = below(covering->root, "/");
  const std::string rest = below(path, covering->mountpoint);
  if (!inside.empty() && !rest.empty()) inside += '/';
  inside += rest;
  for (const auto& mount : mounts) {
    if (mount.lazyvol() && mount.device == covering->device && mount.root == "/") {
      return MountedPath{mount.mountpoint, inside};
    }
  }
  return MountedPath{covering->mountpoint, inside};
}

std::string absolute_path(const std::string& path) {
  std::error_code error;
  fs::path absolute = fs::absolute(path, error);
  if (error) absolute = fs::path(path);
  std::string normal = absolute.lexically_normal().string();
  while (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  std::array<char, PATH_MAX> resolved{};
  if (::realpath(normal.c_str(), resolved.data()) != nullptr) return resolved.data();
  // The last component may be a dead mount: its parent still answers.
  const fs::path whole(normal);
  if (whole.has_filename() && ::realpath(whole.parent_path().c_str(), resolved.data()) != nullptr) {
    return (fs::path(resolved.data()) / whole.filename()).string();
  }
  return normal;
}

bool is_dead_mount(const std::string& mountpoint) {
  struct statvfs info {};  // always asks the daemon; stat(2) may be answered by the kernel's cache
  return statvfs(mountpoint.c_str(), &info) != 0 && errno == ENOTCONN;
}

}  // namespace lazyvol::daemon
