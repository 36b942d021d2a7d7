// The two orders that make a crash harmless, seen from inside the disk operations.
#include <atomic>

#include "block_support.h"
#include "cache/index.h"
#include "cache/object_format.h"

namespace lazyvol::cache::testing {
namespace {

class CrashOrder : public BlockCacheTest {
 protected:
  // How many blocks of object 1 the index names.
  static std::uint64_t named(Index& index) {
    std::uint64_t blocks = 0;
    EXPECT_TRUE(index
                    .scan(Keyspace::blocks, group_prefix(1),
                          [&](std::string_view, std::string_view value) {
                            const auto row = decode_group_row(value);
                            EXPECT_TRUE(row);
                            if (row)
                              blocks += static_cast<std::uint64_t>(std::popcount(row->present));
                            return true;
                          })
                    .ok());
    return blocks;
  }
};

TEST_F(CrashOrder, DataAreSyncedBeforeTheyAreNamed) {
  std::atomic<Index*> index{nullptr};
  std::atomic<std::uint64_t> named_at_sync{99}, syncs{0};
  auto with = options();
  with.commit_interval = std::chrono::hours(1);
  with.fault = [&](std::string_view what) {
    if (what.starts_with("sync objects/") && index != nullptr) {
      named_at_sync = named(*index);
      syncs++;
    }
    return 0;
  };
  const auto cache = open(with);
  index = &cache->index();
  const auto content = cache->content(key_of(1), 4 * kMiB);
  ASSERT_TRUE(store_block(*content, 1, 0).ok());
  ASSERT_TRUE(store_block(*content, 1, 5).ok());
  EXPECT_EQ(named(*index), 0U);
  ASSERT_TRUE(cache->commit().ok());
  EXPECT_EQ(syncs, 1U);
  EXPECT_EQ(named_at_sync, 0U);
  EXPECT_EQ(named(*index), 2U);
}

TEST_F(CrashOrder, RowsGoBeforeHolesAreMade) {
  std::atomic<Index*> index{nullptr};
  std::atomic<std::uint64_t> named_at_punch{99}, punches{0};
  auto with = options();
  with.max_bytes = 128 * kMiB;
  with.commit_interval = std::chrono::hours(1);
  with.fault = [&](std::string_view what) {
    if (what.starts_with("punch objects/") && index != nullptr) {
      named_at_punch = named(*index);
      punches++;
    }
    return 0;
  };
  const auto cache = open(with);
  index = &cache->index();
  const auto content = cache->content(key_of(1), 16 * kMiB);
  store_all(*content, 1);
  ASSERT_TRUE(cache->commit().ok());
  ASSERT_EQ(named(*index), blocks_in(16 * kMiB));
  ASSERT_TRUE(cache->trim(cache->stats().bytes - 4 * kMiB).ok());
  EXPECT_GE(punches, 1U);
  EXPECT_LE(named_at_punch, blocks_in(12 * kMiB));
  EXPECT_EQ(hits_of(*content, 1), named(*index));
}

TEST_F(CrashOrder, FailedHolesFreeNothingAndHarmNothing) {
  std::atomic<bool> failing{true};
  auto with = options();
  with.commit_interval = std::chrono::hours(1);
  with.fault = [&](std::string_view what) {
    return failing && what.starts_with("punch") ? EOPNOTSUPP : 0;
  };
  const auto cache = open(with);
  const auto first = cache->content(key_of(1), 16 * kMiB);
  const auto second = cache->content(key_of(2), 16 * kMiB);
  store_all(*first, 1);
  ASSERT_TRUE(cache->commit().ok());
  store_all(*second, 2);
  // No holes here: whole objects go instead.
  ASSERT_TRUE(cache->trim(cache->stats().bytes - 2 * kMiB).ok());
  ASSERT_TRUE(cache->trim(cache->stats().bytes - 2 * kMiB).ok());
  EXPECT_EQ(hits_of(*first, 1), 0U);
  store_all(*first, 1);
  EXPECT_EQ(hits_of(*first, 1), blocks_in(16 * kMiB));
}

}  // namespace
}  // namespace lazyvol::cache::testing
