#include "publish/tree_files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace lazyvol::publish {
namespace {

Fd open_step(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  long fd = 0;
  do {
    fd = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
  return Fd(static_cast<int>(fd));
}

bool is_published(std::string_view xattr) {
  return xattr.starts_with("user.") || xattr == "security.capability";
}

// Attributes that go while they are read were not there; those that the file system does not have,
// neither.
bool means_none(int failure) {
  return failure == ENOTSUP || failure == EOPNOTSUPP || failure == ENODATA || failure == ENOSYS;
}

}  // namespace

Result<Fd> open_below(const Fd& root, std::string_view path, int flags) {
  constexpr std::size_t kStep = PATH_MAX - 1;  // what the kernel takes at once
  std::string_view rest = path.empty() ? "." : path;
  Fd at(-1);
  int from = root.get();
  while (rest.size() > kStep) {
    const std::size_t slash = rest.rfind('/', kStep - 1);
    at = open_step(from, std::string(rest.substr(0, slash)), O_PATH | O_DIRECTORY);
    if (at.get() < 0) return errno_error(errno, "open " + std::string(path));
    from = at.get();
    rest.remove_prefix(slash + 1);
  }
  Fd result = open_step(from, std::string(rest), flags);
  if (result.get() < 0) return errno_error(errno, "open " + std::string(path));
  return result;
}

Stamp stamp_of(const struct stat& status) {
  const auto ns = [](const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  };
  return {.inode = {status.st_dev, status.st_ino},
          .size = static_cast<std::uint64_t>(status.st_size),
          .mtime_ns = ns(status.st_mtim),
          .ctime_ns = ns(status.st_ctim)};
}

std::string proc_path(const Fd& file) {
  return "/proc/self/fd/" + std::to_string(file.get());
}

Result<std::vector<catalog::Xattr>> read_xattrs(const std::string& path, bool follow,
                                                std::string_view shown) {
  // As long as lists and values can get (XATTR_LIST_MAX, XATTR_SIZE_MAX).
  thread_local std::string buffer(64 * 1024, '\0');
  const auto list = follow ? &::listxattr : &::llistxattr;
  const auto get = follow ? &::getxattr : &::lgetxattr;
  std::vector<catalog::Xattr> result;
  const ssize_t length = list(path.c_str(), buffer.data(), buffer.size());
  if (length < 0 && !means_none(errno)) {
    return errno_error(errno, "list the extended attributes of " + std::string(shown));
  }
  for (ssize_t at = 0; at < length;) {
    const std::string_view name(buffer.data() + at);
    at += static_cast<ssize_t>(name.size()) + 1;
    if (is_published(name)) result.push_back({std::string(name), {}});
  }
  std::size_t bytes = 0;
  for (catalog::Xattr& xattr : result) {
    const ssize_t size = get(path.c_str(), xattr.name.c_str(), buffer.data(), buffer.size());
    if (size < 0 && !means_none(errno)) {
      return errno_error(errno, "read " + xattr.name + " of " + std::string(shown));
    }
    if (size < 0) xattr.name.clear();
    if (size > 0) xattr.value.assign(buffer.data(), static_cast<std::size_t>(size));
    bytes += xattr.name.size() + xattr.value.size() + 4;
  }
  std::erase_if(result, [](const catalog::Xattr& xattr) { return xattr.name.empty(); });
  std::sort(result.begin(), result.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  if (bytes > catalog::kMaxXattrBytes || result.size() > catalog::kMaxXattrs) {
    return Error{Code::too_large, std::string(shown) + " has more than 16 KiB or 256 of extended " +
                                      "attributes, which a volume cannot hold"};
  }
  return result;
}

}  // namespace lazyvol::publish
