#include "cache/index_reserve.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"

namespace lazyvol::cache {
namespace {

constexpr std::uint64_t kStep = 4U << 20;        // given back at a time, lest others take it all
constexpr std::uint64_t kMaxMargin = 16U << 20;  // one WAL, or all write buffers

struct Space {
  std::uint64_t total = 0, free = 0;
};

// Zeros when the file system does not say: then nothing is admitted.
Space space_of(const std::filesystem::path& dir) {
  struct statvfs now {};
  if (::statvfs(dir.c_str(), &now) != 0) return {};
  return {now.f_blocks * now.f_frsize, now.f_bavail * now.f_frsize};
}

}  // namespace

IndexReserve::IndexReserve(std::filesystem::path file, std::uint64_t limit_bytes)
    : file_(std::move(file)) {
  const Space space = space_of(file_.parent_path());
  wanted_ = std::min(limit_bytes, space.total / 8);
  margin_ = std::min(kMaxMargin, space.total / 32);
  std::error_code absent;
  const auto size = std::filesystem::file_size(file_, absent);
  if (!absent) held_ = size;
}

bool IndexReserve::release(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t held = held_.load();
  if (held == 0) return false;
  const std::uint64_t rest = held - std::min(held, std::max(bytes, kStep));
  if (::truncate(file_.c_str(), static_cast<off_t>(rest)) != 0) return false;
  if (held == wanted_) base::log_warn("cache index: the disk is full; using its reserve");
  held_ = rest;
  return true;
}

bool IndexReserve::admit(std::uint64_t bytes) {
  std::uint64_t free = space_of(file_.parent_path()).free;
  if (held() < wanted_) {
    if (!refill(free)) return false;
    free = space_of(file_.parent_path()).free;
  }
  return free >= margin_ + bytes;
}

bool IndexReserve::refill(std::uint64_t free_bytes) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t held = held_.load();
  if (held >= wanted_) return true;
  if (free_bytes < wanted_ - held + margin_) return false;
  const int fd = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  const int failure = ::posix_fallocate(fd, 0, static_cast<off_t>(wanted_));
  if (failure != 0 && ::ftruncate(fd, static_cast<off_t>(held)) != 0) {
    base::log_warn("cache index: cannot cut {} back", file_.string());
  }
  ::close(fd);
  if (failure != 0) return false;
  held_ = wanted_;
  return true;
}

}  // namespace lazyvol::cache
