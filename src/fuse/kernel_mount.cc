#include "fuse/kernel_mount.h"

#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "base/log.h"
#include "fuse/mount_info.h"

namespace lazyvol::fuse {
namespace {

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

Status unmount_path(const std::filesystem::path& mountpoint, bool lazy) {
  LAZYVOL_TRY_ASSIGN(const auto mounts, read_mount_info());
  if (mount_at(mounts, mountpoint.native()) == nullptr) {
    return Error{Code::not_found, mountpoint.string() + " is not mounted"};
  }
  if (geteuid() != 0) return run_fusermount(mountpoint, lazy);
  if (umount2(mountpoint.c_str(), UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0) return {};
  if (errno == EBUSY) return Error{Code::busy, mountpoint.string() + " is in use"};
  return errno_error(errno, "umount " + mountpoint.string());
}

void set_readahead(const std::string& device, unsigned kib) {
  std::ofstream file("/sys/class/bdi/" + device + "/read_ahead_kb");
  file << kib << std::flush;
  if (!file) base::log_debug("kernel readahead of {} stays as it is", device);
}

}  // namespace lazyvol::fuse
