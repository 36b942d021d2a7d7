// Plays access patterns as the kernel sends them and counts what would have been fetched.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "prefetch/stream_detector.h"

namespace lazyvol::prefetch {
namespace {

constexpr std::uint64_t kKiB = 1024, kMiB = 1024 * kKiB;

/// What readahead covered, in units of 4 KiB, and how often it was asked for twice.
class Coverage {
 public:
  explicit Coverage(std::uint64_t size) : pages_(size / 4096 + 1) {}
  void add(const ByteRange& range) {
    for (std::uint64_t page = range.begin / 4096; page * 4096 < range.end; ++page) {
      if (pages_[page]) ++repeated_;
      pages_[page] = true;
    }
  }
  bool has(std::uint64_t offset) const { return pages_[offset / 4096]; }
  std::uint64_t bytes() const {
    return static_cast<std::uint64_t>(std::count(pages_.begin(), pages_.end(), true)) * 4096;
  }
  std::uint64_t repeated_bytes() const { return repeated_ * 4096; }

 private:
  std::vector<bool> pages_;
  std::uint64_t repeated_ = 0;
};

struct Outcome {
  double ahead = 0;  ///< share of reads whose first byte had been asked for before
  std::uint64_t fetched = 0, repeated = 0, widest = 0;
};

using Reads = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

Outcome play(const Reads& reads, std::uint64_t size, StreamOptions options = {}) {
  StreamDetector detector(options, size);
  Coverage coverage(size);
  Outcome outcome;
  std::size_t ahead = 0;
  for (const auto& [offset, length] : reads) {
    if (coverage.has(offset)) ++ahead;
    if (const auto range = detector.on_read(offset, length)) {
      EXPECT_LE(range->end, size);
      EXPECT_LT(range->begin, range->end);
      outcome.widest = std::max(outcome.widest, range->end - std::min(range->end, offset));
      coverage.add(*range);
    }
  }
  outcome.ahead = static_cast<double>(ahead) / static_cast<double>(reads.size());
  outcome.fetched = coverage.bytes();
  outcome.repeated = coverage.repeated_bytes();
  return outcome;
}

Reads sequential(std::uint64_t begin, std::uint64_t end, std::uint64_t step) {
  Reads reads;
  for (std::uint64_t at = begin; at < end; at += step)
    reads.emplace_back(at, std::min(step, end - at));
  return reads;
}

/// Each read may be overtaken by a few later ones, as FUSE background requests are.
Reads out_of_order(Reads reads, std::size_t depth, std::uint64_t seed) {
  std::mt19937_64 rng(seed);
  for (std::size_t i = 0; i + depth < reads.size(); i += depth) {
    std::shuffle(reads.begin() + static_cast<std::ptrdiff_t>(i),
                 reads.begin() + static_cast<std::ptrdiff_t>(i + depth), rng);
  }
  return reads;
}

TEST(StreamSimulation, SequentialIsCoveredOnceAndInTime) {
  const std::uint64_t size = 512 * kMiB + 12'345;
  const Outcome outcome = play(sequential(0, size, 128 * kKiB), size);
  EXPECT_GT(outcome.ahead, 0.99);
  EXPECT_LE(outcome.repeated, 512 * kKiB);  // pages cut by a boundary
  EXPECT_LE(outcome.widest, StreamOptions{}.max_window + 2 * kMiB);
}

TEST(StreamSimulation, TheKernelsOutOfOrderRequestsAreOneStream) {
  const std::uint64_t size = 256 * kMiB;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    const Outcome outcome = play(out_of_order(sequential(0, size, 128 * kKiB), 6, seed), size);
    EXPECT_GT(outcome.ahead, 0.97);
    EXPECT_EQ(outcome.repeated, 0u);
  }
}

TEST(StreamSimulation, InterleavedReadersAreToldApart) {
  const std::uint64_t size = 1024 * kMiB;
  std::mt19937_64 rng(7);
  std::vector<Reads> readers;
  for (std::uint64_t i = 0; i < 6; ++i) {
    readers.push_back(sequential(i * 160 * kMiB, i * 160 * kMiB + 60 * kMiB, 128 * kKiB));
  }
  Reads mixed;
  std::vector<std::size_t> at(readers.size());
  for (std::size_t left = readers.size() * readers[0].size(); left > 0;) {
    const std::size_t who = rng() % readers.size();
    if (at[who] == readers[who].size()) continue;
    mixed.push_back(readers[who][at[who]++]);
    --left;
  }
  const Outcome outcome = play(mixed, size, {.max_window = 16 * kMiB});
  EXPECT_GT(outcome.ahead, 0.97);
  EXPECT_LE(outcome.fetched, 6 * (60 + 17) * kMiB);
}

TEST(StreamSimulation, RandomReadsCauseNone) {
  const std::uint64_t size = 1024 * kMiB;
  std::mt19937_64 rng(11);
  Reads reads;
  for (int i = 0; i < 20'000; ++i) reads.emplace_back(rng() % (size / 4096) * 4096, 4096);
  const Outcome outcome = play(reads, size);
  // Two neighbours by chance start a window now and then.
  EXPECT_LT(outcome.fetched, reads.size() * 4096 / 4);
}

TEST(StreamSimulation, RandomReadsOfASmallFileCauseNone) {
  const std::uint64_t size = 6 * kMiB;
  std::mt19937_64 rng(13);
  Reads reads;
  for (int i = 0; i < 40; ++i) reads.emplace_back(rng() % (size / 4096) * 4096, 4096);
  EXPECT_LE(play(reads, size).fetched, kMiB);
}

TEST(StreamSimulation, BackSeeksDoNotBreakTheStream) {
  const std::uint64_t size = 256 * kMiB;
  std::mt19937_64 rng(17);
  Reads reads;
  for (std::uint64_t at = 0; at < size; at += 64 * kKiB) {
    reads.emplace_back(at, 64 * kKiB);
    if (rng() % 8 == 0) reads.emplace_back(at - std::min(at, rng() % (900 * kKiB)), 4 * kKiB);
  }
  const Outcome outcome = play(reads, size);
  EXPECT_GT(outcome.ahead, 0.95);
  EXPECT_EQ(outcome.repeated, 0u);
}

}  // namespace
}  // namespace lazyvol::prefetch
