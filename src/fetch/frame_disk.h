// Frames in the block cache: each is a content of its own, decompressed. docs/cache.md, "Frames".
#pragma once

#include <cstdint>
#include <memory>

#include "cache/block_cache.h"
#include "fetch/frame_key.h"

namespace lazyvol::fetch {

/// Thread-safe. Not to be called with a lock held, but for has(): the rest reads or writes a disk.
class FrameDisk {
 public:
  explicit FrameDisk(std::shared_ptr<cache::BlockCache> cache) : cache_(std::move(cache)) {}

  /// True when read() would probably find all of it. May read the index.
  bool has(const FrameId& id) const;
  /// Null when any of it is not there, or cannot be read.
  FrameBytes read(const FrameId& id) const;
  /// Errors: those of CachedContent::store().
  Status store(const FrameId& id, const std::string& bytes) const;
  /// Answers with the bytes freed.
  std::uint64_t evict(const FrameId& id) const;

 private:
  std::shared_ptr<cache::CachedContent> content(const FrameId& id) const;

  const std::shared_ptr<cache::BlockCache> cache_;
};

}  // namespace lazyvol::fetch
