// Disk space set aside for the index alone: what RocksDB has begun it can finish on a full disk.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>

#include "lazyvol/error.h"

namespace lazyvol::cache {

/// A file full of nothing, given back to the file system piece by piece when the index meets
/// ENOSPC, and taken again when there is room. Thread-safe.
class IndexReserve {
 public:
  /// Nothing is done to the disk until refill(). A file left by an earlier process is taken over.
  /// Wants `limit_bytes`, or an eighth of the file system when that is less.
  IndexReserve(std::filesystem::path file, std::uint64_t limit_bytes);

  /// Gives at least `bytes` back. False when nothing was left to give.
  bool release(std::uint64_t bytes);

  /// True when a batch of `bytes` may be written: the reserve is whole (or was made so now) and,
  /// beside it, the margin and the batch fit. Costs one statvfs.
  bool admit(std::uint64_t bytes);

  /// Bytes held now.
  std::uint64_t held() const { return held_.load(std::memory_order_relaxed); }

 private:
  bool refill(std::uint64_t free_bytes);

  // Constant after construction.
  const std::filesystem::path file_;
  std::uint64_t wanted_ = 0;  ///< bytes of a whole reserve
  std::uint64_t margin_ = 0;  ///< bytes that stay free beside it

  // Self-synchronised.
  std::atomic<std::uint64_t> held_{0};

  // Serialises changes of the file.
  std::mutex mutex_;
};

}  // namespace lazyvol::cache
