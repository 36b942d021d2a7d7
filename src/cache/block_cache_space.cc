#include "cache/block_cache_space.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <limits>

#include "base/units.h"

namespace lazyvol::cache {
namespace {

constexpr std::chrono::milliseconds kDiskEvery{20};
constexpr std::chrono::milliseconds kIndexEvery{1'000};
/// What the index may grow by until it is looked at again, with the small files beside it.
constexpr std::uint64_t kIndexGrowth = 1 * base::kMiB;

}  // namespace

std::uint64_t index_reserve(std::uint64_t disk_total) {
  return std::min<std::uint64_t>(disk_total / 8, 64 * base::kMiB);
}

std::uint64_t total_limit(const SpaceLimits& limits, const DiskSpace& disk, std::uint64_t used) {
  const auto ratio_bytes =
      static_cast<std::uint64_t>(static_cast<double>(disk.total) * limits.free_space_ratio);
  const std::uint64_t keep_free = std::max(ratio_bytes, index_reserve(disk.total));
  const std::uint64_t reach = used + disk.available;
  const std::uint64_t by_disk = reach > keep_free ? reach - keep_free : 0;
  return std::min(limits.max_bytes.value_or(std::numeric_limits<std::uint64_t>::max()), by_disk);
}

std::uint64_t low_watermark(std::uint64_t capacity) {
  const std::uint64_t batch =
      std::clamp<std::uint64_t>(capacity / 32, 1 * base::kMiB, 256 * base::kMiB);
  return capacity > batch ? capacity - batch : 0;
}

Space::Space(std::filesystem::path dir, SpaceLimits limits, const Index& index)
    : dir_(std::move(dir)), index_(index) {
  state_.lock()->limits = limits;
}

void Space::add_objects(std::int64_t bytes) {
  objects_.fetch_add(bytes);
}
void Space::add_slabs(std::int64_t bytes) {
  slabs_.fetch_add(bytes);
}
void Space::reserve(std::int64_t bytes) {
  reserved_.fetch_add(bytes);
}

std::uint64_t Space::content_bytes() const {
  return clamp(objects_.load()) + clamp(slabs_.load()) + clamp(reserved_.load());
}

std::uint64_t Space::index_bytes() {
  const auto now = base::system_clock().now();
  {
    const auto state = state_.lock();
    if (state->index_known && now - state->index_seen < kIndexEvery) return state->index_bytes;
    state->index_seen = now;  // one thread looks, the others go on with what is known
    state->index_known = true;
  }
  const std::uint64_t bytes = index_.disk_bytes();
  state_.lock()->index_bytes = bytes;
  return bytes;
}

std::uint64_t Space::used_bytes() {
  return content_bytes() + index_bytes();
}

void Space::set_limits(SpaceLimits limits) {
  auto state = state_.lock();
  state->limits = limits;
  state->disk_known = false;
}

std::uint64_t Space::limit() {
  // What is only reserved is not on the disk yet.
  const std::uint64_t written = object_bytes() + slab_bytes() + index_bytes();
  const auto now = base::system_clock().now();
  auto state = state_.lock();
  if (!state->disk_known || now - state->disk_seen >= kDiskEvery) {
    struct statvfs status {};
    if (::statvfs(dir_.c_str(), &status) == 0) {
      state->disk = {.total = std::uint64_t{status.f_blocks} * status.f_frsize,
                     .available = std::uint64_t{status.f_bavail} * status.f_frsize};
    }
    state->used_then = written;
    state->disk_seen = now;
    state->disk_known = true;
  }
  // Not with what is used by now: what was written since would count as free a second time.
  return total_limit(state->limits, state->disk, state->used_then);
}

std::uint64_t Space::capacity() {
  const std::uint64_t whole = limit();
  const std::uint64_t index = index_bytes() + std::min(kIndexGrowth, whole / 64);
  return whole - std::min(index, whole / 2);
}

}  // namespace lazyvol::cache
