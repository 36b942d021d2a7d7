#include "fuse/mount_info.h"

#include <cerrno>
#include <fstream>
#include <sstream>

namespace lazyvol::fuse {
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

}  // namespace lazyvol::fuse
