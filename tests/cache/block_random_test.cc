// Random operations against a model: what may hit, and that every hit is right.
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "block_support.h"

namespace lazyvol::cache::testing {
namespace {

constexpr std::uint64_t kContents = 12;

std::uint64_t size_of_content(std::uint64_t number) {
  constexpr std::uint64_t sizes[] = {0,          1,         1000, 256 * kKiB,
                                     700 * kKiB, kMiB - 1,  kMiB, 3 * kMiB + 5,
                                     17 * kMiB,  40 * kMiB, 5000, 2 * kMiB};
  return sizes[number % kContents];
}

// `roomy`: nothing is evicted but by request, so what was stored must hit.
class RandomRun : public BlockCacheTest {
 protected:
  void run(std::uint64_t seed, bool roomy, int steps) {
    rng_.seed(seed);
    roomy_ = roomy;
    auto with = options();
    with.max_bytes = roomy ? 4ULL << 30 : 40 * kMiB;
    with.commit_interval = std::chrono::milliseconds(5);
    with.max_dirty_bytes = 4 * kMiB;
    cache_ = open(with);
    for (int i = 0; i < steps && !HasFailure(); ++i) step(with);
    open_.clear();
    cache_.reset();
  }

 private:
  std::uint64_t below(std::uint64_t n) { return rng_() % n; }

  CachedContent& content(std::uint64_t number) {
    auto& held = open_[number];
    if (held == nullptr) held = cache_->content(key_of(number), size_of_content(number));
    return *held;
  }

  void step(const CacheOptions& with) {
    const std::uint64_t number = below(kContents);
    const std::uint64_t blocks = model::BlockLayout{size_of_content(number)}.count();
    switch (below(24)) {
      case 0:
        open_.erase(number);
        return;
      case 1:
        return evict(number);
      case 2:
        ASSERT_TRUE(cache_->commit().ok());
        return;
      case 3:
        if (below(8) == 0) trim();
        return;
      case 4:
        if (below(20) == 0) reopen(with);
        return;
      case 5:
        if (below(20) == 0) check();
        return;
      default:
        break;
    }
    if (blocks == 0) return;
    const std::uint64_t first = below(blocks);
    for (std::uint64_t block = first; block < std::min(blocks, first + 1 + below(8)); ++block) {
      if (below(2) == 0) {
        ASSERT_TRUE(store_block(content(number), number, block).ok());
        present_.insert({number, block});
      } else {
        read(number, block);
      }
    }
  }

  void read(std::uint64_t number, std::uint64_t block) {
    const std::uint32_t length = content(number).layout().length_of(block);
    const auto offset = static_cast<std::uint32_t>(below(length));
    const bool hit = below(2) == 0 ? read_right(content(number), number, block)
                                   : read_right(content(number), number, block, offset,
                                                1 + below(length - offset));
    const bool stored = present_.contains({number, block});
    const bool expected = stored && (roomy_ || hit);
    EXPECT_EQ(hit, expected) << "content " << number << " block " << block;
  }

  void evict(std::uint64_t number) {
    content(number).evict();
    std::erase_if(present_, [&](const auto& at) { return at.first == number; });
    EXPECT_EQ(hits_of(content(number), number), 0U);
  }

  void trim() {
    const auto freed = cache_->trim(below(cache_->stats().bytes + 1));
    ASSERT_TRUE(freed.ok());
    if (!roomy_) return;
    std::erase_if(present_, [&](const auto& at) { return !content(at.first).has(at.second); });
  }

  void reopen(const CacheOptions& with) {
    open_.clear();
    cache_.reset();
    cache_ = open(with);
  }

  void check() {
    const auto report = cache_->check(nullptr);
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->corrupt_blocks, 0U);
    EXPECT_LE(cache_->stats().bytes, cache_->stats().limit_bytes);
  }

  std::mt19937_64 rng_;
  bool roomy_ = true;
  std::shared_ptr<BlockCache> cache_;
  std::map<std::uint64_t, std::shared_ptr<CachedContent>> open_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> present_;
};

// LAZYVOL_STEPS and LAZYVOL_SEED make it a long run, or repeat one.
int steps() {
  const char* text = std::getenv("LAZYVOL_STEPS");
  return text != nullptr ? std::atoi(text) : 600;
}
std::uint64_t seed(std::uint64_t normal) {
  const char* text = std::getenv("LAZYVOL_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : normal;
}

TEST_F(RandomRun, Roomy) {
  run(seed(1), true, steps());
}
TEST_F(RandomRun, Tiny) {
  run(seed(2), false, steps());
}
TEST_F(RandomRun, TinyAgain) {
  run(seed(3), false, steps());
}

}  // namespace
}  // namespace lazyvol::cache::testing
