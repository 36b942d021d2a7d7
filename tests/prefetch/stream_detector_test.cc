#include "prefetch/stream_detector.h"

#include <gtest/gtest.h>

#include <string>

namespace lazyvol::prefetch {
namespace {

constexpr std::uint64_t kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB;

struct Step {
  std::uint64_t offset, length;
  std::optional<ByteRange> expected;
};

struct Case {
  std::string name;
  std::uint64_t file_size;
  StreamOptions options;
  std::vector<Step> steps;
};

class StreamDetectorTable : public ::testing::TestWithParam<Case> {};

TEST_P(StreamDetectorTable, AsksForWhatTheTableSays) {
  const Case& c = GetParam();
  StreamDetector detector(c.options, c.file_size);
  for (std::size_t i = 0; i < c.steps.size(); ++i) {
    SCOPED_TRACE("step " + std::to_string(i));
    EXPECT_EQ(detector.on_read(c.steps[i].offset, c.steps[i].length), c.steps[i].expected);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Policy, StreamDetectorTable,
    ::testing::Values(
        Case{"TwoInARowStart",
             kGiB,
             {},
             {{0, 128 * kKiB, {}},
              {128 * kKiB, 128 * kKiB, ByteRange{256 * kKiB, 256 * kKiB + kMiB}}}},
        Case{"FromTheMiddle",
             kGiB,
             {},
             {{512 * kMiB, kMiB, {}}, {513 * kMiB, kMiB, ByteRange{514 * kMiB, 516 * kMiB}}}},
        Case{"GrowsWithWhatWasRead",
             kGiB,
             {},
             {{0, 256 * kKiB, {}},
              {256 * kKiB, 256 * kKiB, ByteRange{512 * kKiB, 1536 * kKiB}},
              {512 * kKiB, 256 * kKiB, {}},
              {768 * kKiB, 512 * kKiB, ByteRange{1536 * kKiB, 3328 * kKiB}}}},
        Case{"StopsGrowingAtMax",
             kGiB,
             {.max_window = 2 * kMiB},
             {{0, kMiB, {}},
              {kMiB, kMiB, ByteRange{2 * kMiB, 4 * kMiB}},
              {2 * kMiB, kMiB, ByteRange{4 * kMiB, 5 * kMiB}},
              {3 * kMiB, kMiB, ByteRange{5 * kMiB, 6 * kMiB}}}},
        // Past 16 MiB it asks in pieces before half is consumed, and grows all the same.
        Case{"GrowsAlsoWhenItAsksInPieces",
             kGiB,
             {},
             {{0, kMiB, {}},
              {kMiB, 15 * kMiB, ByteRange{16 * kMiB, 46 * kMiB}},
              {16 * kMiB, 8 * kMiB, ByteRange{46 * kMiB, 70 * kMiB}},
              {24 * kMiB, 8 * kMiB, ByteRange{70 * kMiB, 94 * kMiB}}}},
        Case{"NeverBeyondTheEnd",
             3 * kMiB,
             {},
             {{kMiB, kMiB / 2, {}},
              {kMiB + kMiB / 2, kMiB, ByteRange{2 * kMiB + kMiB / 2, 3 * kMiB}},
              {2 * kMiB + kMiB / 2, kMiB, {}}}},
        Case{"NothingLeftAtTheTail",
             2 * kMiB,
             {},
             {{kMiB, kMiB / 2, {}}, {kMiB + kMiB / 2, kMiB, {}}}},
        Case{"BeyondTheFile", kMiB, {}, {{2 * kMiB, kMiB, {}}, {3 * kMiB, kMiB, {}}}},
        Case{"EmptyReads", kMiB, {}, {{0, 0, {}}, {0, 0, {}}, {0, 0, {}}}},
        Case{"Random",
             kGiB,
             {},
             {{700 * kMiB, 4096, {}},
              {3 * kMiB, 4096, {}},
              {90 * kMiB, 4096, {}},
              {512 * kMiB, 4096, {}},
              {5 * kMiB + 5000, 4096, {}},
              {91 * kMiB + 7, 4096, {}}}},
        Case{"ScatteredCloseTogether",
             kGiB,
             {},
             {{0, 4096, {}},
              {500 * kKiB, 4096, {}},
              {900 * kKiB, 4096, {}},
              {1200 * kKiB, 4096, {}}}},
        Case{"Strided",
             kGiB,
             {},
             {{0, 64 * kKiB, {}},
              {kMiB, 64 * kKiB, {}},
              {2 * kMiB, 64 * kKiB, {}},
              {3 * kMiB, 64 * kKiB, {}}}},
        Case{"SmallBackSeekIsKept",
             kGiB,
             {},
             {{0, kMiB, {}},
              {kMiB, kMiB, ByteRange{2 * kMiB, 4 * kMiB}},
              {kMiB + kMiB / 2, 4096, {}},
              {2 * kMiB, kMiB / 2, ByteRange{4 * kMiB, 5 * kMiB + kMiB / 2}}}},
        Case{"AJumpForgetsTheWindow",
             kGiB,
             {},
             {{0, kMiB, {}},
              {kMiB, kMiB, ByteRange{2 * kMiB, 4 * kMiB}},
              {2 * kMiB, kMiB, ByteRange{4 * kMiB, 7 * kMiB}},
              {500 * kMiB, kMiB, {}},
              {501 * kMiB, kMiB, ByteRange{502 * kMiB, 504 * kMiB}}}},
        Case{"LaterStart",
             kGiB,
             {.sequential_after = 4},
             {{0, kMiB, {}},
              {kMiB, kMiB, {}},
              {2 * kMiB, kMiB, {}},
              {3 * kMiB, kMiB, ByteRange{4 * kMiB, 6 * kMiB}}}},
        Case{"Off",
             kGiB,
             {.max_window = 0},
             {{0, kMiB, {}}, {kMiB, kMiB, {}}, {2 * kMiB, kMiB, {}}}}),
    [](const auto& tested) { return tested.param.name; });

TEST(StreamDetector, RandomIsTrueOnlyForReadsThatContinueNothing) {
  StreamDetector detector({}, kGiB);
  detector.on_read(0, 4096);
  EXPECT_TRUE(detector.random());
  detector.on_read(4096, 4096);
  EXPECT_FALSE(detector.random());
  detector.on_read(600 * kMiB, 4096);
  EXPECT_TRUE(detector.random());
  detector.on_read(8192, 4096);
  EXPECT_FALSE(detector.random());
}

TEST(StreamDetector, ALimitBoundsTheWindowAndZeroStopsIt) {
  StreamDetector detector({}, kGiB);
  detector.limit_window(kMiB / 2);
  detector.on_read(0, kMiB);
  EXPECT_EQ(detector.on_read(kMiB, kMiB), (ByteRange{2 * kMiB, 2 * kMiB + kMiB / 2}));
  detector.limit_window(0);
  EXPECT_EQ(detector.on_read(2 * kMiB, kMiB), std::nullopt);
  detector.limit_window(kGiB);  // no more than max_window
  const auto range = detector.on_read(3 * kMiB, kMiB);
  ASSERT_TRUE(range.has_value());
  EXPECT_EQ(range->begin, 4 * kMiB);
  EXPECT_LE(range->end - 4 * kMiB, StreamOptions{}.max_window);
}

TEST(StreamDetector, TheLeastRecentlyUsedStreamIsReplaced) {
  StreamDetector detector({.max_streams = 2}, kGiB);
  detector.on_read(0, kMiB);
  detector.on_read(100 * kMiB, kMiB);
  detector.on_read(kMiB, kMiB);        // stream 0 used last
  detector.on_read(200 * kMiB, kMiB);  // replaces the one at 100 MiB
  detector.on_read(2 * kMiB, kMiB);
  EXPECT_FALSE(detector.random());
  detector.on_read(101 * kMiB, kMiB);
  EXPECT_TRUE(detector.random());
}

}  // namespace
}  // namespace lazyvol::prefetch
