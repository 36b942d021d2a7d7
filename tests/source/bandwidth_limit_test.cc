// The rate at which bytes come: the reckoning, and sources that keep to it.
#include "source/bandwidth_limit.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "calls.h"
#include "support/temp_dir.h"

namespace lazyvol::source {
namespace {

using base::Monotonic;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::noise;
using testing::write_file;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr auto kAwaited = BandwidthLimit::Taker::awaited;
constexpr auto kBackground = BandwidthLimit::Taker::background;
const Monotonic kStart{std::chrono::hours(1)};

milliseconds after_start(Monotonic time) {
  return std::chrono::round<milliseconds>(time - kStart);
}

TEST(BandwidthLimit, WithoutARateNobodyWaits) {
  BandwidthLimit limit;
  EXPECT_EQ(limit.took(kAwaited, kMiB, kStart), Monotonic{});
}

TEST(BandwidthLimit, BytesAreWaitedForAtTheRate) {
  BandwidthLimit limit;
  limit.set_rate(1000);
  EXPECT_EQ(after_start(limit.took(kAwaited, 600, kStart)), milliseconds(500))
      << "less what was unused";
  EXPECT_EQ(after_start(limit.took(kAwaited, 1000, kStart)), milliseconds(1500));
  EXPECT_EQ(after_start(limit.took(kAwaited, 1000, kStart + seconds(1))), milliseconds(2500));
}

TEST(BandwidthLimit, BackgroundGetsWhatOthersLeave) {
  BandwidthLimit limit;
  limit.set_rate(1000);
  EXPECT_EQ(after_start(limit.took(kBackground, 1100, kStart)), seconds(1));
  EXPECT_EQ(after_start(limit.took(kAwaited, 600, kStart)), milliseconds(500))
      << "does not wait for background";
  EXPECT_EQ(after_start(limit.paid_until(kBackground)), milliseconds(1600)) << "which pays for it";
  EXPECT_EQ(after_start(limit.took(kBackground, 400, kStart + seconds(1))), seconds(2));
}

TEST(BandwidthLimit, LittleIsSavedInIdleTime) {
  BandwidthLimit limit;
  limit.set_rate(1000);
  (void)limit.took(kAwaited, 1000, kStart);
  EXPECT_EQ(after_start(limit.took(kAwaited, 1000, kStart + seconds(60))),
            milliseconds(61'000) - BandwidthLimit::kBurst);
}

TEST(BandwidthLimit, AnotherRateForgetsTheDebtsOfTheOneBefore) {
  BandwidthLimit limit;
  limit.set_rate(1);
  (void)limit.took(kAwaited, 1'000'000, kStart);
  limit.set_rate(1000);
  EXPECT_LE(limit.paid_until(kAwaited), kStart);
  EXPECT_EQ(after_start(limit.took(kAwaited, 1000, kStart)), seconds(1) - BandwidthLimit::kBurst);
  limit.set_rate(0);
  EXPECT_EQ(limit.took(kAwaited, 1000, kStart), Monotonic{});
}

class LimitedSource : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(temp_.path() / "file", bytes_);
    source_ = rig_.open(temp_.path().string());
  }
  std::string validator() { return source::stat(*source_, "file")->validator; }

  const std::string bytes_ = noise(4 * kMiB, 1);
  testing::TempDir temp_;
  Rig rig_;
  std::shared_ptr<Source> source_;
};

TEST_F(LimitedSource, ReadersShareTheRate) {
  const std::string version = validator();
  rig_.bandwidth().set_rate(16 * kMiB);
  const auto begun = std::chrono::steady_clock::now();
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      const auto got = source::read(*source_, "file", version, 0, bytes_.size());
      EXPECT_TRUE(got.status.ok());
      EXPECT_TRUE(got.bytes == bytes_);
    });
  }
  for (auto& reader : readers) reader.join();
  // Their last pieces, of a MiB each, are not waited for.
  EXPECT_GE(std::chrono::steady_clock::now() - begun,
            milliseconds(6 * 1000 / 16) - BandwidthLimit::kBurst);
}

TEST_F(LimitedSource, AReaderMayPauseAsWell) {
  const std::string version = validator();
  for (const std::uint64_t rate : {64 * kMiB, 1024 * kMiB}) {
    rig_.bandwidth().set_rate(rate);
    const auto sink = std::make_shared<CollectingSink>();
    sink->data_flow = [](std::size_t) { return Flow::pause; };
    const auto transfer = source_->read({"file", version, 0, bytes_.size()}, sink, {});
    for (std::size_t have = kMiB; have <= bytes_.size(); have += kMiB) {
      ASSERT_TRUE(sink->wait_for(have) || have == bytes_.size());
      std::this_thread::sleep_for(milliseconds(5));
      transfer->resume();
    }
    const auto outcome = sink->wait();
    EXPECT_TRUE(outcome.status.ok());
    EXPECT_TRUE(outcome.bytes == bytes_);
  }
}

class WaitingSink final : public CollectingSink {
 public:
  void on_progress() override { ++progress; }
  std::atomic<int> progress{0};
};

TEST_F(LimitedSource, WhoWaitsIsNotForgottenAndGoesOnWhenTheRateChanges) {
  const std::string version = validator();
  rig_.bandwidth().set_rate(64 << 10);  // a minute for all of it
  const auto sink = std::make_shared<WaitingSink>();
  const auto transfer = source_->read({"file", version, 0, bytes_.size()}, sink, {});
  ASSERT_TRUE(sink->wait_for(1));
  while (sink->progress < 2) std::this_thread::sleep_for(milliseconds(10));
  rig_.bandwidth().set_rate(0);
  EXPECT_TRUE(sink->wait().bytes == bytes_);
}

TEST_F(LimitedSource, WhoWaitsCanBeStopped) {
  const std::string version = validator();
  rig_.bandwidth().set_rate(64 << 10);
  std::stop_source stop;
  RequestContext ctx;
  ctx.stop = stop.get_token();
  const auto sink = std::make_shared<CollectingSink>();
  const auto transfer = source_->read({"file", version, 0, bytes_.size()}, sink, ctx);
  ASSERT_TRUE(sink->wait_for(1));
  stop.request_stop();
  EXPECT_EQ(code_of(sink->wait().status), Code::cancelled);
}

}  // namespace
}  // namespace lazyvol::source
