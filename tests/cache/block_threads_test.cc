// Everything at once: run it under ThreadSanitizer.
#include <atomic>
#include <random>
#include <thread>

#include "block_support.h"

namespace lazyvol::cache::testing {
namespace {

class Threads : public BlockCacheTest {};

TEST_F(Threads, StoreReadEvictTrimCheck) {
  auto with = options();
  with.max_bytes = 48 * kMiB;
  with.commit_interval = std::chrono::milliseconds(2);
  with.max_dirty_bytes = 2 * kMiB;
  const auto cache = open(with);
  constexpr std::uint64_t sizes[] = {24 * kMiB, 5 * kMiB, 900 * kKiB, 3000, 30 * kMiB, 400 * kKiB};
  constexpr int kRounds = 150;
  std::atomic<std::uint64_t> hits{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 rng(t);
      for (int round = 0; round < kRounds; ++round) {
        const std::uint64_t number = rng() % 6;
        const auto content = cache->content(key_of(number), sizes[number]);
        const std::uint64_t blocks = content->layout().count();
        const std::uint64_t first = rng() % blocks;
        for (std::uint64_t block = first; block < std::min(blocks, first + 6); ++block) {
          if (read_right(*content, number, block)) {
            hits++;
          } else {
            static_cast<void>(store_block(*content, number, block));
            static_cast<void>(read_right(*content, number, block, 3, 1));
          }
        }
        if (rng() % 64 == 0) content->evict();
      }
    });
  }
  threads.emplace_back([&] {
    for (int round = 0; round < 5; ++round) {
      EXPECT_TRUE(cache->trim(cache->stats().bytes / 2).ok());
      EXPECT_TRUE(cache->commit().ok());
      const auto report = cache->check(nullptr);
      ASSERT_TRUE(report.ok());
      EXPECT_EQ(report->corrupt_blocks, 0U);
      cache->set_limits((32 + 8 * static_cast<std::uint64_t>(round)) * kMiB, 0);
    }
  });
  for (auto& thread : threads) thread.join();
  EXPECT_GT(hits, 0U);
  const auto stats = cache->stats();
  EXPECT_EQ(stats.corrupt_blocks, 0U);
  EXPECT_TRUE(stats.writable) << stats.writable_reason;
}

TEST_F(Threads, ManyStoreTheSameBlock) {
  const auto cache = open();
  const auto content = cache->content(key_of(1), 4 * kMiB);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] { store_all(*content, 1); });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(hits_of(*content, 1), blocks_in(4 * kMiB));
  EXPECT_EQ(cache->stats().stored_blocks, blocks_in(4 * kMiB));
}

TEST_F(Threads, BackPressureLetsEveryoneThrough) {
  auto with = options();
  with.max_dirty_bytes = kMiB;
  with.commit_interval = std::chrono::hours(1);
  const auto cache = open(with);
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] { store_all(*cache->content(key_of(t), 8 * kMiB), t); });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(cache->stats().stored_blocks, 4 * blocks_in(8 * kMiB));
}

TEST_F(Threads, ContentsComeAndGo) {
  const auto cache = open();
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        const auto content = cache->content(key_of(1), 2 * kMiB);
        if (!read_right(*content, 1, 3, 0, 100)) {
          EXPECT_TRUE(store_block(*content, 1, 3).ok());
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace lazyvol::cache::testing
