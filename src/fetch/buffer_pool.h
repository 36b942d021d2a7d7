// The memory of a Fetcher: one budget, and the block buffers that are counted against it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/locked.h"

namespace lazyvol::fetch {

class BufferPool;

/// Bytes of one block. Written by the one transfer that fills it, read-only once it is complete.
/// Gives its bytes back to the budget when the last reference goes.
class BlockBuffer {
 public:
  BlockBuffer(std::shared_ptr<BufferPool> pool, std::unique_ptr<std::byte[]> data,
              std::uint32_t length);
  ~BlockBuffer();
  BlockBuffer(const BlockBuffer&) = delete;
  BlockBuffer& operator=(const BlockBuffer&) = delete;
  std::span<std::byte> bytes() { return {data_.get(), length_}; }
  std::span<const std::byte> bytes() const { return {data_.get(), length_}; }

 private:
  const std::shared_ptr<BufferPool> pool_;
  std::unique_ptr<std::byte[]> data_;
  const std::uint32_t length_;
};

/// Counts bytes against a budget and keeps a few full-sized buffers for reuse. Thread-safe. Freeing
/// memory wakes nobody: whoever drops buffers lets the engine look at its queue again.
class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  explicit BufferPool(std::uint64_t budget) : budget_(budget) {}

  std::uint64_t budget() const { return budget_; }
  std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  /// The most that was ever in use at once.
  std::uint64_t peak() const { return peak_.load(std::memory_order_relaxed); }

  /// Counts `bytes` as used if that leaves the use at or below `limit`.
  bool reserve(std::uint64_t bytes, std::uint64_t limit);
  /// Counts them in any case: for the few bytes that must be put somewhere.
  void reserve_anyway(std::uint64_t bytes);
  void release(std::uint64_t bytes);

  /// A buffer for `length` bytes that were reserved before; the reservation goes over to it.
  std::shared_ptr<BlockBuffer> take(std::uint32_t length);

 private:
  friend class BlockBuffer;
  void give_back(std::unique_ptr<std::byte[]> data, std::uint32_t length);
  void note_peak(std::uint64_t used);

  const std::uint64_t budget_;
  std::atomic<std::uint64_t> used_{0}, peak_{0};
  base::Locked<std::vector<std::unique_ptr<std::byte[]>>> spare_;
};

}  // namespace lazyvol::fetch
