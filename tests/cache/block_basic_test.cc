// Stored bytes come back, now and after the cache was opened again.
#include <sys/stat.h>

#include "block_support.h"

namespace lazyvol::cache::testing {
namespace {

constexpr std::uint64_t kSmall = 700 * kKiB + 13;   // three blocks, in slabs
constexpr std::uint64_t kLarge = 20 * kMiB + 4711;  // two groups, a file

class BySize : public BlockCacheTest, public ::testing::WithParamInterface<std::uint64_t> {};

TEST_P(BySize, WhatIsStoredIsRead) {
  const auto cache = open();
  const auto content = cache->content(key_of(1), GetParam());
  EXPECT_FALSE(content->has(0));
  EXPECT_EQ(hits_of(*content, 1), 0U);
  store_all(*content, 1);
  EXPECT_TRUE(content->has(content->layout().count() - 1));
  EXPECT_EQ(hits_of(*content, 1), content->layout().count());
  EXPECT_EQ(cache->stats().stored_blocks, content->layout().count());
}

TEST_P(BySize, PartsOfBlocks) {
  const auto cache = open();
  const auto content = cache->content(key_of(1), GetParam());
  store_all(*content, 1);
  const std::uint64_t last = content->layout().count() - 1;
  const std::uint32_t length = content->layout().length_of(last);
  for (const bool committed : {false, true}) {
    if (committed) {
      ASSERT_TRUE(cache->commit().ok());
    }
    EXPECT_TRUE(read_right(*content, 1, 0, 1, 1));
    EXPECT_TRUE(read_right(*content, 1, 1, 4095, 30'000));
    EXPECT_TRUE(read_right(*content, 1, last, length - 7, 7));
    Bytes beyond(8);
    EXPECT_EQ(content->read(last, length - 7, beyond).error().code, Code::invalid_argument);
    EXPECT_EQ(content->read(last + 1, 0, beyond).error().code, Code::not_found);
  }
}

TEST_P(BySize, SurvivesReopening) {
  {
    const auto cache = open();
    store_all(*cache->content(key_of(1), GetParam()), 1);
  }
  const auto cache = open();
  const auto content = cache->content(key_of(1), GetParam());
  EXPECT_TRUE(content->has(0));
  EXPECT_EQ(hits_of(*content, 1), content->layout().count());
  EXPECT_EQ(hits_of(*cache->content(key_of(2), GetParam()), 2), 0U);
}

TEST_P(BySize, SparseBlocks) {
  {
    const auto cache = open();
    const auto content = cache->content(key_of(1), GetParam());
    ASSERT_TRUE(store_block(*content, 1, 2).ok());
    ASSERT_TRUE(store_block(*content, 1, 0).ok());
  }
  const auto cache = open();
  const auto content = cache->content(key_of(1), GetParam());
  EXPECT_TRUE(read_right(*content, 1, 0));
  EXPECT_FALSE(read_right(*content, 1, 1));
  EXPECT_TRUE(read_right(*content, 1, 2));
  ASSERT_TRUE(store_block(*content, 1, 1).ok());
  EXPECT_TRUE(read_right(*content, 1, 1));
}

TEST_P(BySize, OneObjectPerKey) {
  const auto cache = open();
  const auto first = cache->content(key_of(1), GetParam());
  EXPECT_EQ(first, cache->content(key_of(1), GetParam()));
  EXPECT_NE(first, cache->content(key_of(2), GetParam()));
}

TEST_P(BySize, WrongSizesAreRefused) {
  const auto cache = open();
  const auto content = cache->content(key_of(1), GetParam());
  Bytes bytes(100);
  EXPECT_EQ(content->store(0, bytes).error().code, Code::invalid_argument);
  EXPECT_EQ(content->store(content->layout().count(), bytes).error().code, Code::invalid_argument);
  EXPECT_FALSE(content->has(0));
}

TEST_P(BySize, EvictForgets) {
  const auto cache = open();
  const auto content = cache->content(key_of(1), GetParam());
  for (int round = 0; round < 3; ++round) {
    store_all(*content, 1);
    if (round > 0) {
      ASSERT_TRUE(cache->commit().ok());
    }
    EXPECT_GE(content->evict(), GetParam() / 2);
    EXPECT_FALSE(content->has(0));
    EXPECT_EQ(hits_of(*content, 1), 0U);
    EXPECT_EQ(content->evict(), 0U);
  }
  ASSERT_TRUE(cache->commit().ok());
  store_all(*content, 1);
  EXPECT_EQ(hits_of(*content, 1), content->layout().count());
}

TEST_P(BySize, StoredAndEvictedTwiceBetweenCommits) {
  auto with = options();
  with.commit_interval = std::chrono::hours(1);
  const auto cache = open(with);
  const auto content = cache->content(key_of(1), GetParam());
  store_all(*content, 1);
  ASSERT_TRUE(cache->commit().ok());
  for (int round = 0; round < 2; ++round) {
    content->evict();
    EXPECT_EQ(hits_of(*content, 1), 0U);
    store_all(*content, 1);
  }
  content->evict();
  EXPECT_EQ(hits_of(*content, 1), 0U);
  ASSERT_TRUE(cache->commit().ok());
  EXPECT_EQ(hits_of(*content, 1), 0U);
}

TEST_P(BySize, EvictionOutlivesReopening) {
  {
    const auto cache = open();
    const auto content = cache->content(key_of(1), GetParam());
    store_all(*content, 1);
    ASSERT_TRUE(cache->commit().ok());
    content->evict();
  }
  const auto cache = open();
  EXPECT_EQ(hits_of(*cache->content(key_of(1), GetParam()), 1), 0U);
}

TEST_P(BySize, ContentsOutliveTheCache) {
  auto cache = open();
  const auto content = cache->content(key_of(1), GetParam());
  store_all(*content, 1);
  cache.reset();
  EXPECT_EQ(hits_of(*content, 1), content->layout().count());
  EXPECT_FALSE(store_block(*content, 1, 0).ok() && !content->has(0));
}

INSTANTIATE_TEST_SUITE_P(Sizes, BySize, ::testing::Values(kSmall, kLarge),
                         [](const auto& at) { return at.param == kSmall ? "slab" : "object"; });

TEST_F(BlockCacheTest, EmptyContentHasNoBlocks) {
  const auto cache = open();
  const auto content = cache->content(key_of(1), 0);
  EXPECT_FALSE(content->has(0));
  EXPECT_EQ(content->evict(), 0U);
}

TEST_F(BlockCacheTest, ObjectFilesAreSparseAndAsLongAsTheirData) {
  const auto cache = open();
  const auto content = cache->content(key_of(1), 64 * kMiB);
  ASSERT_TRUE(store_block(*content, 1, 100).ok());
  const auto file = temp_.path() / "cache/objects/01/0000000000000001";
  EXPECT_EQ(std::filesystem::file_size(file), 101 * model::kBlockSize);
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_LE(status.st_blocks * 512, 2 * model::kBlockSize);
}

TEST_F(BlockCacheTest, ObjectsBeyondFourGiBLoadTheirRowsOneByOne) {
  constexpr std::uint64_t size = 40ULL << 30;
  const std::vector<std::uint64_t> blocks = {0, 63, 64, 100'000, 163'839};
  {
    const auto cache = open();
    const auto content = cache->content(key_of(1), size);
    for (const auto block : blocks) ASSERT_TRUE(store_block(*content, 1, block).ok());
  }
  const auto cache = open();
  {
    const auto content = cache->content(key_of(1), size);
    for (const auto block : blocks) EXPECT_TRUE(read_right(*content, 1, block, 5, 5000)) << block;
    EXPECT_FALSE(content->has(1));
    EXPECT_FALSE(content->has(50'000));
    ASSERT_TRUE(store_block(*content, 1, 65).ok());
    EXPECT_TRUE(read_right(*content, 1, 64));
    EXPECT_EQ(content->evict(), 6 * model::kBlockSize);
    EXPECT_FALSE(content->has(163'839));
  }
  EXPECT_EQ(cache->stats().objects, 0U);
}

}  // namespace
}  // namespace lazyvol::cache::testing
