#include "fuse/passthrough.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "base/log.h"
#include "fuse/operations.h"
#include "fuse/passthrough_wire.h"

namespace lazyvol::fuse {
namespace {

constexpr const char* kNotInKernel =
    "the kernel has no FUSE passthrough (Linux 6.9 and later, if configured)";

#if FUSE_VERSION < FUSE_MAKE_VERSION(3, 17)
ssize_t read_hook(int fd, void* buffer, std::size_t size, void* bridge) {
  return static_cast<Bridge*>(bridge)->passthrough.read(fd, buffer, size);
}

ssize_t write_hook(int fd, iovec* parts, int count, void* bridge) {
  return static_cast<Bridge*>(bridge)->passthrough.write(fd, parts, count);
}
#endif

/// What is so for every file that will come. Empty for what may be of this one alone.
std::string lasting(int errnum) {
  switch (errnum) {
    case EPERM:
      return "needs CAP_SYS_ADMIN in the first user namespace";
    case ELOOP:
      return "the cache directory lies on a stacked file system (overlayfs); put it on a local one";
    case ENOTTY:
    case EOPNOTSUPP:
    case EINVAL:
      return "the kernel or the cache's file system cannot";
    default:
      return {};
  }
}

}  // namespace

Passthrough::Passthrough(bool wanted) : wanted_(wanted) {
  *reason_.lock() = wanted ? "the kernel was not asked yet" : "not asked for (option open)";
}

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)

Status Passthrough::attach(fuse_session* session, int fd) {
  const std::string path = "/dev/fd/" + std::to_string(fd);
  if (fuse_session_mount(session, path.c_str()) != 0) {
    return Error{Code::unsupported, "libfuse takes no mounted descriptor"};
  }
  fd_ = fd;
  return {};
}

void Passthrough::negotiate(fuse_conn_info& connection) {
  if (!wanted_) return;
  // Its default for max_backing_stack_depth is ours: an overlay may lie on top.
  if (!fuse_set_feature_flag(&connection, FUSE_CAP_PASSTHROUGH)) return turn_off(kNotInKernel);
  reason_.lock()->clear();
  on_ = true;
}

#else

Status Passthrough::attach(fuse_session* session, int fd) {
  fuse_custom_io hooks{};
  hooks.read = read_hook;
  hooks.writev = write_hook;
  if (fuse_session_custom_io(session, &hooks, fd) != 0) {
    return Error{Code::unsupported, "libfuse takes no mounted descriptor"};
  }
  fd_ = fd;
  return {};
}

void Passthrough::negotiate(fuse_conn_info&) {}

#endif

ssize_t Passthrough::read(int fd, void* buffer, std::size_t size) {
  const ssize_t got = ::read(fd, buffer, size);
  if (got <= 0 || !wanted_ || agreed_.load(std::memory_order_acquire)) return got;
  const auto init = wire::parse_init(
      std::as_bytes(std::span(static_cast<const char*>(buffer), static_cast<std::size_t>(got))));
  if (!init) return got;
  if (init->offers_passthrough) {
    init_ = init->unique;
  } else {
    turn_off(kNotInKernel);
    agreed_ = true;
  }
  return got;
}

ssize_t Passthrough::write(int fd, const iovec* parts, int count) {
  const std::uint64_t init = agreed_.load(std::memory_order_acquire) ? 0 : init_.load();
  if (init != 0 && count == 2 &&
      wire::reply_to(std::as_bytes(
          std::span(static_cast<const char*>(parts[0].iov_base), parts[0].iov_len))) == init) {
    return answer_init(fd, parts, count);
  }
  return ::writev(fd, parts, count);
}

ssize_t Passthrough::answer_init(int fd, const iovec* parts, int count) {
  agreed_ = true;
  std::array<std::byte, 256> changed{};
  const std::size_t length = parts[1].iov_len;
  if (length > changed.size()) return ::writev(fd, parts, count);
  std::memcpy(changed.data(), parts[1].iov_base, length);
  if (wire::accept_passthrough(std::span(changed).first(length))) {
    reason_.lock()->clear();
    on_ = true;
  } else {
    turn_off("the kernel's protocol is too old");
  }
  const iovec both[] = {parts[0], {changed.data(), length}};
  return ::writev(fd, both, 2);
}

int Passthrough::add(int fd) {
  if (!on()) return 0;
  const int id = wire::open_backing(fd_, fd);
  if (id > 0) return id;
  if (std::string why = lasting(-id); !why.empty()) {
    turn_off(std::move(why));
  } else {
    base::log_debug("passthrough: {}", std::strerror(-id));
  }
  return 0;
}

void Passthrough::remove(int id) {
  wire::close_backing(fd_, id);
}

void Passthrough::turn_off(std::string why) {
  on_ = false;
  base::log_info("passthrough is off: {}", why);
  *reason_.lock() = std::move(why);
}

}  // namespace lazyvol::fuse
