#include "fuse/kernel_mount.h"

#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "base/log.h"
#include "fuse/fusermount.h"
#include "fuse/mount_info.h"

namespace lazyvol::fuse {

Status unmount_path(const std::filesystem::path& mountpoint, bool lazy) {
  LAZYVOL_TRY_ASSIGN(const auto mounts, read_mount_info());
  if (mount_at(mounts, mountpoint.native()) == nullptr) {
    return Error{Code::not_found, mountpoint.string() + " is not mounted"};
  }
  if (geteuid() != 0) {
    const Status status =
        run_fusermount({lazy ? "-uz" : "-u", "--", mountpoint.string()}, -1, nullptr);
    return status.ok() ? status : status.error().in("umount " + mountpoint.string());
  }
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
