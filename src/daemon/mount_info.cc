#include "daemon/mount_info.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <system_error>

namespace lazyvol::daemon {
namespace fs = std::filesystem;
namespace {

/// Decodes the kernel's \OOO escapes (space, tab, newline, backslash, '#').
std::string unescape(std::string_view text) {
  const auto octal = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '7'; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

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

std::vector<MountInfo> parse_mount_info(std::string_view text) {
  std::vector<MountInfo> mounts;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    MountInfo mount;
    std::string id, parent, options, word;
    if (!(fields >> id >> parent >> mount.device >> mount.root >> mount.mountpoint >> options)) {
      continue;
    }
    while (fields >> word && word != "-") {  // optional fields end at a lone hyphen
    }
    if (word != "-" || !(fields >> mount.type)) continue;
    fields >> mount.source;  // an empty source leaves it empty
    mount.root = unescape(mount.root);
    mount.mountpoint = unescape(mount.mountpoint);
    mount.source = unescape(mount.source);
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

Result<std::vector<MountInfo>> read_mount_info() {
  std::ifstream file("/proc/self/mountinfo");
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) return errno_error(EIO, "read /proc/self/mountinfo");
  return parse_mount_info(text.str());
}

const MountInfo* mount_at(const std::vector<MountInfo>& mounts, std::string_view mountpoint) {
  const MountInfo* found = nullptr;
  for (const auto& mount : mounts) {
    if (mount.mountpoint == mountpoint) found = &mount;
  }
  return found;
}

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
  struct stat info {};
  return stat(mountpoint.c_str(), &info) != 0 && errno == ENOTCONN;
}

}  // namespace lazyvol::daemon
