#include "fetch/background_gate.h"

#include <gtest/gtest.h>

#include <optional>

#include "fetch/slots.h"

namespace lazyvol::fetch {
namespace {

using namespace std::chrono_literals;
using base::Monotonic;

constexpr std::uint32_t kMost = 12;
constexpr std::uint64_t kLong = 8 << 20;
const Monotonic kNow = Monotonic{} + 1000s;

/// The bytes that a request may have, or nothing when none may start.
std::optional<std::uint64_t> allowed(const BackgroundGate::Traffic& traffic) {
  const auto allowance = BackgroundGate::allowance(traffic, kNow, kMost, kLong);
  EXPECT_GT(allowance.again, kNow);
  if (!allowance.start) return std::nullopt;
  return allowance.most_bytes;
}

TEST(BackgroundGate, AllMayWhileNobodyReads) {
  EXPECT_EQ(allowed({}), kLong);
  EXPECT_EQ(allowed({.background = kMost - 1}), kLong);
  EXPECT_EQ(allowed({.background = kMost}), std::nullopt);
  EXPECT_EQ(allowed({.foreground_seen = kNow - BackgroundGate::kQuiet}), kLong);
}

TEST(BackgroundGate, AFewShortOnesMayWhenReadersPause) {
  const Monotonic seen = kNow - BackgroundGate::kPause;
  EXPECT_EQ(allowed({.foreground_seen = seen}), BackgroundGate::kShortBytes);
  EXPECT_EQ(allowed({.background = BackgroundGate::kFew, .foreground_seen = seen}), std::nullopt);
}

TEST(BackgroundGate, OneNowAndThenMayBesideReaders) {
  const Monotonic recent = kNow - BackgroundGate::kTrickle + 1ms;
  const Monotonic long_ago = kNow - BackgroundGate::kTrickle;
  for (const std::uint32_t foreground : {0U, 1U}) {
    const Monotonic seen = kNow - 1ms;
    EXPECT_EQ(allowed({foreground, 0, seen, recent}), std::nullopt);
    EXPECT_EQ(allowed({foreground, 0, seen, long_ago}), BackgroundGate::kShortBytes);
    EXPECT_EQ(allowed({foreground, 1, seen, long_ago}), std::nullopt);
  }
  EXPECT_EQ(allowed({1, 0, {}, long_ago}), BackgroundGate::kShortBytes);
}

TEST(BackgroundGate, CountsWhatIsUnderWay) {
  const auto gate = std::make_shared<BackgroundGate>();
  const auto now = base::system_clock().now();
  const auto may_start = [&] { return gate->allowance(now, kMost, kLong).start; };
  EXPECT_EQ(gate->enter(Priority::metadata, now), nullptr);
  EXPECT_EQ(gate->enter(Priority::sibling, now), nullptr);
  {
    const auto hydrate = gate->enter(Priority::hydrate, now);
    const auto reader = gate->enter(Priority::readahead, now);
    EXPECT_FALSE(may_start());
  }
  EXPECT_FALSE(may_start()) << "a reader was there just now";
  EXPECT_TRUE(gate->allowance(now + 2 * BackgroundGate::kQuiet, kMost, kLong).start);
}

TEST(Slots, LeaveRoomForTheMoreUrgent) {
  EXPECT_EQ(slots_for(Priority::reader, 16), 16U);
  EXPECT_EQ(slots_for(Priority::readahead, 16), 15U);
  EXPECT_EQ(slots_for(Priority::sibling, 16), 15U);
  EXPECT_EQ(slots_for(Priority::hydrate, 16), 12U);
  for (const Priority priority : {Priority::reader, Priority::readahead, Priority::hydrate}) {
    EXPECT_EQ(slots_for(priority, 1), 1U);
    EXPECT_EQ(slots_for(priority, 0), 1U);
  }
}

}  // namespace
}  // namespace lazyvol::fetch
