#include "volume/access_recorder.h"

#include <gtest/gtest.h>

#include <random>

namespace lazyvol::volume {
namespace {

using Ranges = std::vector<model::ProfileRange>;
constexpr std::uint64_t kFar = 10 * AccessRecorder::kJoinWithin;

TEST(AccessRecorder, NotesInTheOrderOfTheFirstUse) {
  AccessRecorder recorder;
  recorder.note_read(9, 0, 100);
  recorder.start();
  recorder.note_directory(1);
  recorder.note_read(7, kFar, 4096);
  recorder.note_read(5, 0, 10);
  recorder.note_directory(1);
  recorder.note_read(7, 0, 4096);
  recorder.note_read(6, 0, 0);
  const auto noted = recorder.stop();
  ASSERT_EQ(noted.size(), 3U);
  EXPECT_EQ(noted[0].node, 1U);
  EXPECT_TRUE(noted[0].directory);
  EXPECT_EQ(noted[1].node, 7U);
  EXPECT_EQ(noted[1].ranges, (Ranges{{0, 4096}, {kFar, kFar + 4096}}));
  EXPECT_EQ(noted[2].node, 5U);
  recorder.note_read(5, 0, 10);
  EXPECT_TRUE(recorder.stop().empty());
}

TEST(AccessRecorder, JoinsWhatIsNear) {
  AccessRecorder recorder;
  recorder.start();
  recorder.note_read(1, 2 * kFar, 100);
  recorder.note_read(1, 0, 4096);
  recorder.note_read(1, 8192, 4096);
  recorder.note_read(1, kFar, 4096);
  recorder.note_read(1, kFar - AccessRecorder::kJoinWithin, 1);
  EXPECT_EQ(recorder.stop().front().ranges,
            (Ranges{{0, 12'288},
                    {kFar - AccessRecorder::kJoinWithin, kFar + 4096},
                    {2 * kFar, 2 * kFar + 100}}));
}

TEST(AccessRecorder, IsBounded) {
  AccessRecorder recorder;
  recorder.start();
  for (std::uint64_t i = 0; i < 2 * AccessRecorder::kMaxRangesPerFile; ++i) {
    recorder.note_read(1, i * kFar + i, 1);  // each gap wider than the one before
  }
  const auto ranges = recorder.stop().front().ranges;
  EXPECT_EQ(ranges.size(), AccessRecorder::kMaxRangesPerFile);
  EXPECT_EQ(ranges.front().begin, 0U);
  EXPECT_EQ(ranges.back().begin, (2 * AccessRecorder::kMaxRangesPerFile - 1) * (kFar + 1));
}

TEST(AccessRecorder, CoversWhatWasRead) {
  std::mt19937_64 random(std::random_device{}());
  AccessRecorder recorder;
  recorder.start();
  std::vector<model::ProfileRange> reads;
  for (int i = 0; i < 2'000; ++i) {
    const std::uint64_t begin = random() % (1ULL << 30), length = 1 + random() % 200'000;
    recorder.note_read(1, begin, length);
    reads.push_back({begin, begin + length});
  }
  const auto ranges = recorder.stop().front().ranges;
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    EXPECT_GT(ranges[i].begin, ranges[i - 1].end + AccessRecorder::kJoinWithin);
  }
  for (const auto& read : reads) {
    EXPECT_TRUE(std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) {
      return range.begin <= read.begin && read.end <= range.end;
    }));
  }
}

}  // namespace
}  // namespace lazyvol::volume
