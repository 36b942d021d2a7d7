// What the parts of one block cache have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/locked.h"
#include "cache/block_cache.h"
#include "cache/block_cache_files.h"
#include "cache/block_cache_health.h"
#include "cache/block_cache_space.h"
#include "cache/index.h"
#include "cache/object_format.h"

namespace lazyvol::cache {

/// Buffers of one block, kept for the next user. Thread-safe.
class BlockBuffers {
 public:
  using Buffer = std::unique_ptr<std::byte[]>;
  Buffer take() {
    auto spare = spare_.lock();
    if (spare->empty()) return std::make_unique_for_overwrite<std::byte[]>(model::kBlockSize);
    Buffer buffer = std::move(spare->back());
    spare->pop_back();
    return buffer;
  }
  void give_back(Buffer buffer) {
    auto spare = spare_.lock();
    if (spare->size() < kMaxSpare) spare->push_back(std::move(buffer));
  }

 private:
  static constexpr std::size_t kMaxSpare = 16;
  base::Locked<std::vector<Buffer>> spare_;
};

/// Bytes that may be written: counted in Space until this goes away.
class Room {
 public:
  Room(Space& space, std::uint64_t bytes) : space_(&space), bytes_(bytes) {
    space.reserve(static_cast<std::int64_t>(bytes));
  }
  Room(Room&& other) noexcept : space_(other.space_), bytes_(std::exchange(other.bytes_, 0)) {}
  Room& operator=(Room&&) = delete;
  ~Room() { space_->reserve(-static_cast<std::int64_t>(bytes_)); }

 private:
  Space* space_;
  std::uint64_t bytes_;
};

/// What a store passes through. Thread-safe; call without any lock of the cache held.
class StoreGate {
 public:
  virtual ~StoreGate() = default;
  /// Waits for the disk to keep up, and evicts. Errors: the reason why writes are suspended;
  /// no_space when the limits leave no room.
  virtual Result<Room> admit(std::uint64_t bytes) = 0;
  /// Counts bytes that were written and are not yet committed.
  virtual void stored(std::uint64_t bytes) = 0;
};

/// Lock order, outermost first: evictor, commit, `meta`, an object or the slabs, registry or files.
/// No lock is held while a StoreGate is asked.
struct CacheShared {
  CacheShared(CacheOptions with, std::unique_ptr<Index> at)
      : options(std::move(with)),
        index(std::move(at)),
        health(options.probe_interval),
        files(options.dir, FileHooks{.write = options.fault, .read = options.read_fault}, 256),
        space(options.dir, {options.max_bytes, options.free_space_ratio}, *index) {}

  const CacheOptions options;
  const std::unique_ptr<Index> index;
  Counters counters;
  Health health;
  CacheFiles files;
  Space space;
  BlockBuffers buffers;
  /// Whoever writes rows of blocks to the index holds this, so that an old row never follows a new
  /// one.
  base::Locked<MetaRow> meta;
  StoreGate* gate = nullptr;  ///< set before the first content exists
  std::weak_ptr<void> owner;  ///< keeps all of this alive; held by every content
};

}  // namespace lazyvol::cache
