#include "cache/index_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/clock.h"
#include "base/log.h"

namespace lazyvol::cache {
namespace {

constexpr std::string_view kAside = "index.damaged-";
constexpr std::size_t kKeptAside = 3;

// The folder of the mark is the one that it speaks of, so that setting aside takes it along.
std::filesystem::path mark_of(const std::filesystem::path& index) {
  return index / "DAMAGED";
}

// What the holder of the lock wrote into it: its pid.
std::string holder_of(int lock) {
  char text[32];
  const ssize_t length = ::pread(lock, text, sizeof text, 0);
  std::string pid;
  for (ssize_t n = 0; n < length && text[n] >= '0' && text[n] <= '9'; ++n) pid.push_back(text[n]);
  return pid.empty() ? "another process" : "process " + pid;
}

Status make_folder(const std::filesystem::path& path) {
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  if (failure) return errno_error(failure.value(), "create " + path.string());
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
    return errno_error(errno, "use " + path.string());
  }
  return {};
}

}  // namespace

IndexFolder::IndexFolder(std::filesystem::path dir, int lock)
    : dir_(std::move(dir)), path_(dir_ / "index"), lock_(lock) {}

IndexFolder::~IndexFolder() {
  ::close(lock_);
}

Result<std::unique_ptr<IndexFolder>> IndexFolder::open(const std::filesystem::path& dir) {
  LAZYVOL_TRY(make_folder(dir / "index"));
  const std::string name = (dir / "index.lock").string();
  const int lock = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return errno_error(errno, "open " + name);
  std::unique_ptr<IndexFolder> folder(new IndexFolder(dir, lock));
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return errno_error(errno, "lock " + name);
    return Error{Code::busy,
                 "the cache index in " + dir.string() + " is in use by " + holder_of(lock)};
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  // Only for the message above: a full disk does not matter here.
  if (::ftruncate(lock, 0) != 0 ||
      ::pwrite(lock, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    base::log_debug("cannot write a pid to {}", name);
  }
  return folder;
}

void IndexFolder::mark_damaged() const {
  const int fd = ::open(mark_of(path_).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
}

bool IndexFolder::is_marked_damaged() const {
  std::error_code failure;
  return std::filesystem::exists(mark_of(path_), failure);
}

Status IndexFolder::set_aside(const std::string& reason) const {
  // Nanoseconds with 19 digits: names sort as times do until the year 2286.
  const std::string aside = std::string(kAside) + std::to_string(base::system_clock().wall_ns());
  std::error_code failure;
  std::filesystem::rename(path_, dir_ / aside, failure);
  if (failure) return errno_error(failure.value(), "set aside " + path_.string());
  base::log_error("the cache index in {} is damaged ({}): set aside as {} and begun anew",
                  dir_.string(), reason, aside);
  drop_old_ones();
  return make_folder(path_);
}

void IndexFolder::drop_old_ones() const {
  std::vector<std::filesystem::path> aside;
  std::error_code failure;
  for (std::filesystem::directory_iterator at(dir_, failure), end; !failure && at != end;
       at.increment(failure)) {
    if (at->path().filename().string().starts_with(kAside)) aside.push_back(at->path());
  }
  std::sort(aside.begin(), aside.end());
  for (std::size_t n = 0; n + kKeptAside < aside.size(); ++n) {
    std::filesystem::remove_all(aside[n], failure);
  }
}

}  // namespace lazyvol::cache
