#include "fetch/buffer_pool.h"

#include <utility>

#include "model/content.h"

namespace lazyvol::fetch {
namespace {

/// Buffers kept for reuse while anything is in flight: 4 MiB spare the allocator a steady stream of
/// map and unmap, and are nothing beside the budget.
constexpr std::size_t kMaxSpare = 64;

}  // namespace

BlockBuffer::BlockBuffer(std::shared_ptr<BufferPool> pool, std::unique_ptr<std::byte[]> data,
                         std::uint32_t length)
    : pool_(std::move(pool)), data_(std::move(data)), length_(length) {}

BlockBuffer::~BlockBuffer() {
  pool_->give_back(std::move(data_), length_);
}

bool BufferPool::reserve(std::uint64_t bytes, std::uint64_t limit) {
  std::uint64_t used = used_.load(std::memory_order_relaxed);
  do {
    if (used > limit || bytes > limit - used) return false;
  } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  note_peak(used + bytes);
  return true;
}

void BufferPool::reserve_anyway(std::uint64_t bytes) {
  note_peak(used_.fetch_add(bytes, std::memory_order_relaxed) + bytes);
}

void BufferPool::release(std::uint64_t bytes) {
  used_.fetch_sub(bytes, std::memory_order_relaxed);
}

std::shared_ptr<BlockBuffer> BufferPool::take(std::uint32_t length) {
  std::unique_ptr<std::byte[]> data;
  if (length == model::kBlockSize) {
    auto spare = spare_.lock();
    if (!spare->empty()) {
      data = std::move(spare->back());
      spare->pop_back();
    }
  }
  if (!data) data = std::make_unique_for_overwrite<std::byte[]>(length);
  return std::make_shared<BlockBuffer>(shared_from_this(), std::move(data), length);
}

void BufferPool::give_back(std::unique_ptr<std::byte[]> data, std::uint32_t length) {
  const std::uint64_t left = used_.fetch_sub(length, std::memory_order_relaxed) - length;
  std::vector<std::unique_ptr<std::byte[]>> idle;  // freed after the lock
  auto spare = spare_.lock();
  if (left == 0) {
    idle.swap(*spare);  // an idle volume holds no memory
  } else if (length == model::kBlockSize && spare->size() < kMaxSpare) {
    spare->push_back(std::move(data));
  }
  spare.unlock();
}

void BufferPool::note_peak(std::uint64_t used) {
  std::uint64_t peak = peak_.load(std::memory_order_relaxed);
  while (used > peak && !peak_.compare_exchange_weak(peak, used, std::memory_order_relaxed)) {
  }
}

}  // namespace lazyvol::fetch
