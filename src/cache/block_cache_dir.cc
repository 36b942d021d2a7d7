#include "cache/block_cache_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

namespace lazyvol::cache {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMarker = "lazyvol-cache";
constexpr std::string_view kMarkerNew = "lazyvol-cache.new";

Error failed(int errnum, const fs::path& dir, std::string_view verb) {
  return errno_error(errnum, fmt::format("cache directory {}: {}", dir.string(), verb));
}

// The first line of a small file; empty when it cannot be read.
std::string first_line(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::array<char, 64> text{};
  const ssize_t got = ::read(fd, text.data(), text.size());
  ::close(fd);
  if (got <= 0) return {};
  const std::string_view all(text.data(), static_cast<std::size_t>(got));
  return std::string(all.substr(0, all.find('\n')));
}

Status make_directory(const fs::path& dir) {
  std::error_code failure;
  const fs::path parent = dir.parent_path();
  if (!parent.empty()) fs::create_directories(parent, failure);
  if (failure) return failed(failure.value(), dir, "create its parent");
  if (::mkdir(dir.c_str(), 0700) == 0) return {};
  const int errnum = errno;
  struct stat status {};
  if (::stat(dir.c_str(), &status) != 0) return failed(errnum, dir, "create");
  if (!S_ISDIR(status.st_mode)) return failed(ENOTDIR, dir, "open");
  return {};
}

// What may lie in a directory that holds no cache yet: what mkfs made, and what a crash amid this
// left.
bool harmless(std::string_view name) {
  return name == "lost+found" || name == "lock" || name == kMarkerNew;
}

Status check_owner(const fs::path& dir) {
  std::error_code failure;
  bool empty = true;
  fs::directory_iterator at(dir, failure);
  for (; !failure && at != fs::directory_iterator(); at.increment(failure)) {
    const std::string name = at->path().filename().string();
    if (name == kMarker) return {};
    if (!harmless(name)) empty = false;
  }
  if (failure) return failed(failure.value(), dir, "list");
  if (empty) return {};
  return Error{
      Code::invalid_argument,
      fmt::format("cache directory {} is not empty and holds no lazyvol cache; name another "
                  "cache-dir or empty it",
                  dir.string())};
}

Result<int> lock(const fs::path& dir) {
  const fs::path path = dir / "lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return failed(errno, dir, "open its lock");
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int errnum = errno;
    ::close(fd);
    if (errnum != EWOULDBLOCK) return failed(errnum, dir, "lock");
    const std::string pid = first_line(path);
    return Error{Code::busy,
                 fmt::format("cache directory {} is in use by process {}; stop it or name another "
                             "cache-dir",
                             dir.string(), pid.empty() ? "unknown" : pid)};
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    const int errnum = errno;
    ::close(fd);
    return failed(errnum, dir, "write its lock");
  }
  return fd;
}

Status write_marker(const fs::path& dir) {
  const fs::path fresh = dir / kMarkerNew;
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return failed(errno, dir, "mark as a cache");
  const std::string text = fmt::format("lazyvol cache, format {}\n", kCacheFormat);
  const bool ok = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                  ::fsync(fd) == 0;
  const int errnum = errno;
  ::close(fd);
  if (!ok) return failed(errnum, dir, "mark as a cache");
  if (::rename(fresh.c_str(), (dir / kMarker).c_str()) != 0) {
    return failed(errno, dir, "mark as a cache");
  }
  return {};
}

Status check_format(const fs::path& dir) {
  std::error_code failure;
  if (!fs::exists(dir / kMarker, failure)) return write_marker(dir);
  const std::string line = first_line(dir / kMarker);
  constexpr std::string_view start = "lazyvol cache, format ";
  unsigned format = 0;
  if (line.starts_with(start)) {
    std::from_chars(line.data() + start.size(), line.data() + line.size(), format);
  }
  if (format == kCacheFormat) return {};
  if (format == 0) {
    return Error{Code::invalid_argument,
                 fmt::format("cache directory {}: its {} file is none of lazyvol's; name another "
                             "cache-dir or empty it",
                             dir.string(), kMarker)};
  }
  return Error{Code::unsupported,
               fmt::format("cache directory {} has format {}, this lazyvol knows {}; name another "
                           "cache-dir, empty it, or use the newer lazyvol",
                           dir.string(), format, kCacheFormat)};
}

}  // namespace

Result<CacheDirectory> CacheDirectory::hold(const fs::path& dir) {
  LAZYVOL_TRY(make_directory(dir));
  LAZYVOL_TRY(check_owner(dir));
  LAZYVOL_TRY_ASSIGN(const int fd, lock(dir));
  CacheDirectory held(fd);
  LAZYVOL_TRY(check_format(dir));
  return held;
}

CacheDirectory::CacheDirectory(CacheDirectory&& other) noexcept
    : lock_fd_(std::exchange(other.lock_fd_, -1)) {}

CacheDirectory::~CacheDirectory() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Status set_files_aside(const fs::path& dir) {
  std::error_code failure;
  for (const char* name : {"objects", "slabs"}) {
    if (!fs::exists(dir / name, failure)) continue;
    fs::create_directories(dir / "trash", failure);
    fs::path to;
    for (unsigned i = 0; to.empty() || fs::exists(to, failure); ++i) {
      to = dir / "trash" / fmt::format("{}.{}", name, i);
    }
    fs::rename(dir / name, to, failure);
    if (failure) return failed(failure.value(), dir, "set old files aside");
  }
  return {};
}

}  // namespace lazyvol::cache
