// Deterministic contents and a cache on a temporary directory, for the tests of the block cache.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/units.h"
#include "cache/block_cache.h"
#include "support/temp_dir.h"

namespace lazyvol::cache::testing {

using base::kKiB;
using base::kMiB;
using Bytes = std::vector<std::byte>;

inline model::ContentKey key_of(std::uint64_t number) {
  return model::live_content_key("test", std::to_string(number), "v1");
}

/// What content `number` holds: every 8 bytes are a function of content and place.
inline void fill_content(std::uint64_t number, std::uint64_t offset, std::span<std::byte> out) {
  for (std::size_t i = 0; i < out.size();) {
    const std::uint64_t at = offset + i;
    std::uint64_t word = (number * 0x9e3779b97f4a7c15ULL) ^ (at / 8 * 0xbf58476d1ce4e5b9ULL);
    word ^= word >> 29;
    word *= 0x94d049bb133111ebULL;
    word |= 1;  // never zeros: a hole shows
    const std::size_t within = at % 8;
    const std::size_t n = std::min<std::size_t>(8 - within, out.size() - i);
    std::memcpy(out.data() + i, reinterpret_cast<const char*>(&word) + within, n);
    i += n;
  }
}

inline Bytes block_bytes(std::uint64_t number, std::uint64_t block, std::uint64_t size) {
  const model::BlockLayout layout{size};
  Bytes bytes(layout.length_of(block));
  fill_content(number, model::BlockLayout::offset_of(block), bytes);
  return bytes;
}

inline Status store_block(CachedContent& content, std::uint64_t number, std::uint64_t block) {
  return content.store(block, block_bytes(number, block, content.layout().size));
}

inline void store_all(CachedContent& content, std::uint64_t number) {
  for (std::uint64_t block = 0; block < content.layout().count(); ++block) {
    const Status stored = store_block(content, number, block);
    ASSERT_TRUE(stored.ok()) << Status(stored).error().message;
  }
}

/// True on a hit; a hit with wrong bytes fails the test.
inline bool read_right(CachedContent& content, std::uint64_t number, std::uint64_t block,
                       std::uint32_t offset, std::size_t length) {
  Bytes got(length), want(length);
  const Status read = content.read(block, offset, got);
  if (!read.ok()) {
    EXPECT_EQ(Status(read).error().code, Code::not_found);
    return false;
  }
  fill_content(number, model::BlockLayout::offset_of(block) + offset, want);
  EXPECT_EQ(got, want) << "content " << number << " block " << block << " offset " << offset;
  return true;
}

inline bool read_right(CachedContent& content, std::uint64_t number, std::uint64_t block) {
  return read_right(content, number, block, 0, content.layout().length_of(block));
}

/// How many blocks a content of `bytes` has.
inline std::uint64_t blocks_in(std::uint64_t bytes) {
  return model::BlockLayout{bytes}.count();
}

/// How many blocks of the content hit, all of them right.
inline std::uint64_t hits_of(CachedContent& content, std::uint64_t number) {
  std::uint64_t hits = 0;
  for (std::uint64_t block = 0; block < content.layout().count(); ++block) {
    if (read_right(content, number, block)) hits++;
  }
  return hits;
}

class BlockCacheTest : public ::testing::Test {
 protected:
  CacheOptions options() {
    CacheOptions options;
    options.dir = temp_.path() / "cache";
    options.free_space_ratio = 0;
    return options;
  }
  static std::shared_ptr<BlockCache> open(CacheOptions options) {
    auto cache = BlockCache::open(std::move(options));
    EXPECT_TRUE(cache.ok()) << (cache.ok() ? "" : cache.error().message);
    return cache.ok() ? *cache : nullptr;
  }
  std::shared_ptr<BlockCache> open() { return open(options()); }

  lazyvol::testing::TempDir temp_;
};

}  // namespace lazyvol::cache::testing
