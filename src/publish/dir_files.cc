#include "publish/dir_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace lazyvol::publish {

Status write_all(const Fd& file, std::string_view bytes, std::string_view name) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(file.get(), bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno_error(errno, "write " + std::string(name));
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return {};
}

Result<std::string> read_some(const Fd& file, std::uint64_t offset, std::uint64_t limit,
                              std::string_view name) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return errno_error(errno, "read " + std::string(name));
  if (!S_ISREG(status.st_mode)) {
    return Error{Code::is_directory, "read " + std::string(name) + ": not a file"};
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  std::string bytes(offset >= size ? 0 : std::min(limit, size - offset), '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t done = ::pread(file.get(), bytes.data() + got, bytes.size() - got,
                                 static_cast<off_t>(offset + got));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno_error(errno, "read " + std::string(name));
    if (done == 0) break;
    got += static_cast<std::size_t>(done);
  }
  bytes.resize(got);
  return bytes;
}

Status sync_directory(const std::string& path) {
  const Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return errno_error(errno, "open " + path);
  // Some network file systems cannot sync a directory: their server does it itself.
  if (::fsync(directory.get()) != 0 && errno != EINVAL && errno != ENOTSUP) {
    return errno_error(errno, "fsync " + path);
  }
  return {};
}

Status make_directories(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (!S_ISDIR(status.st_mode)) return errno_error(ENOTDIR, path);
    return {};
  }
  if (errno != ENOENT) return errno_error(errno, path);
  const std::size_t slash = path.find_last_of('/');
  const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
  if (slash != std::string::npos && slash > 0) LAZYVOL_TRY(make_directories(parent));
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
    return errno_error(errno, "make the directory " + path);
  }
  return sync_directory(parent);
}

Locking try_lock(const Fd& file) {
  int result = 0;
  do {
    result = ::flock(file.get(), LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return Locking::locked;
  return errno == EWOULDBLOCK ? Locking::held_by_other : Locking::not_supported;
}

}  // namespace lazyvol::publish
