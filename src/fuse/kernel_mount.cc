#include "fuse/kernel_mount.h"

#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "base/log.h"

namespace lazyvol::fuse {
namespace {

/// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out.push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                      (text[i + 3] - '0')));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::optional<KernelMount> parse_line(const std::string& line) {
  std::istringstream words(line);
  std::string id, parent, device, root, mountpoint, word;
  if (!(words >> id >> parent >> device >> root >> mountpoint)) return std::nullopt;
  while (words >> word && word != "-") {
  }
  std::string type, source;
  if (!(words >> type >> source)) return std::nullopt;
  return KernelMount{device, unescape(mountpoint), type, unescape(source)};
}

Status run_fusermount(const std::filesystem::path& mountpoint, bool lazy) {
  const pid_t child = fork();
  if (child < 0) return errno_error(errno, "fork");
  if (child == 0) {
    const char* flag = lazy ? "-uz" : "-u";
    execlp("fusermount3", "fusermount3", "-q", flag, "--", mountpoint.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
    return Error{Code::access_denied, "fusermount3 is not installed (package fuse3)"};
  }
  return Error{Code::busy, mountpoint.string() + " is in use"};
}

}  // namespace

std::vector<KernelMount> parse_mountinfo(std::string_view text) {
  std::vector<KernelMount> mounts;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (auto mount = parse_line(line)) mounts.push_back(*std::move(mount));
  }
  return mounts;
}

std::vector<KernelMount> kernel_mounts() {
  std::ifstream file("/proc/self/mountinfo");
  std::ostringstream text;
  text << file.rdbuf();
  return parse_mountinfo(text.str());
}

std::optional<KernelMount> mount_at(const std::filesystem::path& mountpoint) {
  std::optional<KernelMount> found;
  for (auto& mount : kernel_mounts()) {
    if (mount.mountpoint == mountpoint.string()) found = std::move(mount);
  }
  return found;
}

Status unmount_path(const std::filesystem::path& mountpoint, bool lazy) {
  if (!mount_at(mountpoint)) {
    return Error{Code::not_found, mountpoint.string() + " is not mounted"};
  }
  if (geteuid() != 0) return run_fusermount(mountpoint, lazy);
  if (umount2(mountpoint.c_str(), UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0) return {};
  if (errno == EBUSY) return Error{Code::busy, mountpoint.string() + " is in use"};
  return errno_error(errno, "umount " + mountpoint.string());
}

void set_readahead(const KernelMount& mount, unsigned kib) {
  const std::string path = "/sys/class/bdi/" + mount.device + "/read_ahead_kb";
  std::ofstream file(path);
  file << kib << std::flush;
  if (!file) base::log_debug("kernel readahead of {} stays as it is", mount.mountpoint);
}

}  // namespace lazyvol::fuse
