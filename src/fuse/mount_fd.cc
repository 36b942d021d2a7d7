#include "fuse/mount_fd.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "fuse/fusermount.h"
#include "fuse/mount_info.h"

namespace lazyvol::fuse {
namespace {

std::string common_options(const MountRequest& request) {
  std::string options = "max_read=" + std::to_string(request.max_read);
  if (request.default_permissions) options += ",default_permissions";
  if (request.allow_other) options += ",allow_other";
  return options;
}

Result<int> mount_as_root(const MountRequest& request) {
  const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd < 0) return errno_error(errno, "open /dev/fuse (is the fuse module loaded?)");
  struct stat root {};
  if (stat(request.mountpoint.c_str(), &root) != 0) {
    const Error error = errno_error(errno, "mountpoint " + request.mountpoint.string());
    close(fd);
    return error;
  }
  char mode[16];
  std::snprintf(mode, sizeof mode, "%o", root.st_mode & S_IFMT);
  const std::string options = "fd=" + std::to_string(fd) + ",rootmode=" + mode +
                              ",user_id=0,group_id=0," + common_options(request);
  if (mount(request.fsname.c_str(), request.mountpoint.c_str(), kMountType,
            MS_RDONLY | MS_NOSUID | MS_NODEV | (request.noexec ? MS_NOEXEC : 0),
            options.c_str()) != 0) {
    const Error error = errno_error(errno, "mount on " + request.mountpoint.string());
    close(fd);
    return error;
  }
  return fd;
}

/// fusermount3 takes a comma or backslash in fsname escaped.
std::string escape(const std::string& value) {
  std::string out;
  for (const char c : value) {
    if (c == ',' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

/// The descriptor that fusermount3 sent, or -1 when it sent none.
int receive_descriptor(int socket) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t length = 0;
  while ((length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  const cmsghdr* header = length > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return -1;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

Result<int> mount_as_user(const MountRequest& request) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    return errno_error(errno, "socketpair");
  }
  const std::string options = "ro,nosuid,nodev,subtype=lazyvol,fsname=" + escape(request.fsname) +
                              (request.noexec ? ",noexec," : ",") + common_options(request);
  int fd = -1;
  const Status status = run_fusermount({"-o", options, "--", request.mountpoint.string()}, pair[0],
                                       [&] { fd = receive_descriptor(pair[1]); });
  close(pair[1]);
  if (fd >= 0) return fd;
  const std::string where = "mount on " + request.mountpoint.string();
  if (status.ok()) return Error{Code::access_denied, where + ": fusermount3 sent no descriptor"};
  return status.error().in(where);
}

}  // namespace

Result<int> mount_fuse(const MountRequest& request) {
  return geteuid() == 0 ? mount_as_root(request) : mount_as_user(request);
}

}  // namespace lazyvol::fuse
