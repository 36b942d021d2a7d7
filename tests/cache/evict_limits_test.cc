// The cache stays within its limits, and keeps what is used.
#include <sys/stat.h>

#include "block_support.h"

namespace lazyvol::cache::testing {
namespace {

constexpr std::uint64_t kLimit = 64 * kMiB;

class EvictLimits : public BlockCacheTest {
 protected:
  CacheOptions limited(std::uint64_t limit = kLimit) {
    auto with = options();
    with.max_bytes = limit;
    return with;
  }
  // What object files and slabs really take.
  std::uint64_t data_on_disk() const {
    std::uint64_t bytes = 0;
    for (const char* name : {"objects", "slabs"}) {
      std::error_code failure;
      for (const auto& entry :
           std::filesystem::recursive_directory_iterator(temp_.path() / "cache" / name, failure)) {
        struct stat status {};
        if (entry.is_regular_file() && ::stat(entry.path().c_str(), &status) == 0) {
          bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
        }
      }
    }
    return bytes;
  }
  // A sequential reader: a miss is fetched and stored. Answers with the hits.
  static std::uint64_t read_through(CachedContent& content, std::uint64_t number) {
    std::uint64_t hits = 0;
    for (std::uint64_t block = 0; block < content.layout().count(); ++block) {
      if (read_right(content, number, block)) {
        hits++;
      } else {
        EXPECT_TRUE(store_block(content, number, block).ok());
      }
    }
    return hits;
  }
};

TEST_F(EvictLimits, OneObjectLargerThanTheCache) {
  const auto cache = open(limited());
  const auto content = cache->content(key_of(1), 512 * kMiB);
  for (std::uint64_t block = 0; block < content->layout().count(); ++block) {
    ASSERT_TRUE(store_block(*content, 1, block).ok());
    EXPECT_TRUE(read_right(*content, 1, block)) << "evicted before it could be read";
    if (block % 64 == 0) {
      EXPECT_LE(data_on_disk(), kLimit);
    }
  }
  const auto stats = cache->stats();
  EXPECT_LE(stats.bytes, kLimit);
  EXPECT_GE(stats.evicted_bytes, 512 * kMiB - kLimit);
  EXPECT_EQ(stats.corrupt_blocks, 0U);
  EXPECT_GE(hits_of(*content, 1), blocks_in(16 * kMiB));
}

TEST_F(EvictLimits, ManySmallContents) {
  const auto cache = open(limited());
  for (std::uint64_t i = 0; i < 400; ++i) {
    const auto content = cache->content(key_of(i), 500 * kKiB);
    store_all(*content, i);
    EXPECT_EQ(hits_of(*content, i), blocks_in(500 * kKiB));
  }
  EXPECT_LE(cache->stats().bytes, kLimit);
  EXPECT_LE(data_on_disk(), kLimit);
  EXPECT_EQ(hits_of(*cache->content(key_of(0), 500 * kKiB), 0), 0U);
}

TEST_F(EvictLimits, AccountingSurvivesReopening) {
  std::uint64_t before = 0;
  {
    const auto cache = open(limited());
    for (std::uint64_t i = 0; i < 5; ++i) store_all(*cache->content(key_of(i), 3 * kMiB), i);
    store_all(*cache->content(key_of(9), 500 * kKiB), 9);
    ASSERT_TRUE(cache->commit().ok());
    before = data_on_disk();
  }
  const auto cache = open(limited());
  EXPECT_GE(before, 15 * kMiB);
  EXPECT_EQ(cache->stats().objects, 5U);
  EXPECT_EQ(cache->stats().slabs, 1U);
  const auto freed = cache->trim(0);
  ASSERT_TRUE(freed.ok());
  EXPECT_GE(*freed, 15 * kMiB);
  EXPECT_EQ(data_on_disk(), 0U);
  EXPECT_EQ(cache->stats().objects, 0U);
  EXPECT_EQ(cache->stats().slabs, 0U);
}

TEST_F(EvictLimits, ScanDoesNotFlushWhatIsReadAgain) {
  const auto cache = open(limited());
  const auto hot = cache->content(key_of(1), 8 * kMiB);
  store_all(*hot, 1);
  EXPECT_EQ(hits_of(*hot, 1), blocks_in(8 * kMiB));
  EXPECT_EQ(hits_of(*hot, 1), blocks_in(8 * kMiB));  // again: protected
  for (std::uint64_t i = 0; i < 30; ++i) {
    const auto scanned = cache->content(key_of(200 + i), 8 * kMiB);
    EXPECT_EQ(read_through(*scanned, 200 + i), 0U);
  }
  EXPECT_EQ(hits_of(*hot, 1), blocks_in(8 * kMiB));
}

TEST_F(EvictLimits, ProtectionSurvivesClosingTheContent) {
  const auto cache = open(limited());
  {
    const auto hot = cache->content(key_of(1), 8 * kMiB);
    store_all(*hot, 1);
    static_cast<void>(hits_of(*hot, 1));
    static_cast<void>(hits_of(*hot, 1));
  }
  ASSERT_TRUE(cache->commit().ok());
  for (std::uint64_t i = 0; i < 30; ++i) {
    const auto scanned = cache->content(key_of(200 + i), 8 * kMiB);
    EXPECT_EQ(read_through(*scanned, 200 + i), 0U);
  }
  EXPECT_EQ(hits_of(*cache->content(key_of(1), 8 * kMiB), 1), blocks_in(8 * kMiB));
}

TEST_F(EvictLimits, ProtectedContentsCompeteAmongThemselves) {
  const auto cache = open(limited());
  for (std::uint64_t i = 0; i < 20; ++i) {
    const auto content = cache->content(key_of(i), 8 * kMiB);
    static_cast<void>(read_through(*content, i));
    static_cast<void>(hits_of(*content, i));
    static_cast<void>(hits_of(*content, i));
  }
  EXPECT_LE(cache->stats().bytes, kLimit);
  EXPECT_EQ(hits_of(*cache->content(key_of(0), 8 * kMiB), 0), 0U);
  EXPECT_GT(hits_of(*cache->content(key_of(19), 8 * kMiB), 19), blocks_in(4 * kMiB));
}

TEST_F(EvictLimits, UsedSmallContentsGetASecondChance) {
  const auto cache = open(limited());
  const auto hot = cache->content(key_of(0), 200 * kKiB);
  store_all(*hot, 0);
  for (std::uint64_t i = 1; i <= 600; ++i) {
    store_all(*cache->content(key_of(i), 500 * kKiB), i);
    EXPECT_EQ(hits_of(*hot, 0), blocks_in(200 * kKiB)) << "after " << i;
  }
  EXPECT_EQ(hits_of(*cache->content(key_of(1), 500 * kKiB), 1), 0U);
  EXPECT_LE(data_on_disk(), kLimit);
}

TEST_F(EvictLimits, TrimAndLowerLimits) {
  const auto cache = open(limited(256 * kMiB));
  for (std::uint64_t i = 0; i < 20; ++i) store_all(*cache->content(key_of(i), 5 * kMiB), i);
  const std::uint64_t full = cache->stats().bytes;
  ASSERT_TRUE(cache->trim(full - 30 * kMiB).ok());
  EXPECT_LE(cache->stats().bytes, full - 30 * kMiB + kMiB);
  EXPECT_GE(cache->stats().bytes, full - 50 * kMiB);
  cache->set_limits(50 * kMiB, 0);
  EXPECT_LE(cache->stats().bytes, 50 * kMiB);
  EXPECT_EQ(cache->stats().limit_bytes, 50 * kMiB);
  EXPECT_GT(hits_of(*cache->content(key_of(19), 5 * kMiB), 19), 0U);
}

TEST_F(EvictLimits, FreeSpaceRatioIsALimitToo) {
  const auto cache = open();
  const auto content = cache->content(key_of(1), 8 * kMiB);
  store_all(*content, 1);
  cache->set_limits(std::nullopt, 1.0);
  EXPECT_EQ(cache->stats().limit_bytes, 0U);
  EXPECT_EQ(hits_of(*content, 1), 0U);
  EXPECT_EQ(store_block(*content, 1, 0).error().code, Code::no_space);
  EXPECT_TRUE(cache->stats().writable) << "no room is no failure of the disk";
  cache->set_limits(std::nullopt, 0.0);
  EXPECT_TRUE(store_block(*content, 1, 0).ok());
}

}  // namespace
}  // namespace lazyvol::cache::testing
