// How much the cache holds and may hold.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/clock.h"
#include "base/locked.h"
#include "cache/index.h"

namespace lazyvol::cache {

/// What the file system of the cache has, in bytes.
struct DiskSpace {
  std::uint64_t total = 0, available = 0;
};

struct SpaceLimits {
  std::optional<std::uint64_t> max_bytes;
  double free_space_ratio = 0.1;
};

/// The disk space that stays free whatever the options say: the index needs room to write (RocksDB
/// as Debian ships it ends the process when it has none), and cached bytes must never take it.
/// 1/8 of a small disk, 64 MiB of a larger one.
std::uint64_t index_reserve(std::uint64_t disk_total);

/// The most bytes the whole cache (index included) may take, when it holds `used` now. Pure.
std::uint64_t total_limit(const SpaceLimits& limits, const DiskSpace& disk, std::uint64_t used);

/// Where eviction stops once it began: a little under `capacity`, so that it works in batches.
/// Pure.
std::uint64_t low_watermark(std::uint64_t capacity);

/// Counts the disk space of object files and slabs. Thread-safe. Sizes are whole 4 KiB pages, as
/// file systems have them.
class Space {
 public:
  /// `index` must outlive it.
  Space(std::filesystem::path dir, SpaceLimits limits, const Index& index);

  static std::uint64_t on_disk(std::uint64_t bytes) { return (bytes + 4095) / 4096 * 4096; }

  void add_objects(std::int64_t bytes);
  void add_slabs(std::int64_t bytes);
  /// Counts bytes that are about to be written; returned with a negative value.
  void reserve(std::int64_t bytes);

  std::uint64_t object_bytes() const { return clamp(objects_.load()); }
  std::uint64_t slab_bytes() const { return clamp(slabs_.load()); }
  /// Object files, slabs and reservations.
  std::uint64_t content_bytes() const;
  /// All of it with the index (whose size is looked at once a second).
  std::uint64_t used_bytes();
  std::uint64_t index_bytes();

  void set_limits(SpaceLimits limits);
  /// For the whole cache, as of now (the disk is looked at every 20 ms at most).
  std::uint64_t limit();
  /// What contents may take of it: the index's share is taken off, but not more than half.
  std::uint64_t capacity();

 private:
  struct State {
    SpaceLimits limits;
    DiskSpace disk;
    base::Monotonic disk_seen, index_seen;
    std::uint64_t index_bytes = 0;
    std::uint64_t used_then = 0;  // when the disk was seen
    bool disk_known = false, index_known = false;
  };
  static std::uint64_t clamp(std::int64_t value) {
    return value < 0 ? 0 : static_cast<std::uint64_t>(value);
  }

  const std::filesystem::path dir_;
  const Index& index_;
  std::atomic<std::int64_t> objects_{0}, slabs_{0}, reserved_{0};
  base::Locked<State> state_;
};

}  // namespace lazyvol::cache
