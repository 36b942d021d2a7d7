#include "net/concurrency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace lazyvol::net {
namespace {

using namespace std::chrono_literals;
using base::Monotonic;
using Seconds = std::chrono::duration<double>;

/// A server that serves as many requests per second as `rate` says of the connections in use.
class Server {
 public:
  explicit Server(std::function<double(std::uint32_t)> rate) : rate_(std::move(rate)) {}

  /// Waves of as many requests as are allowed. Answers with the share of the time that `limit`
  /// held.
  double serve(
      Concurrency& policy, Seconds duration, bool others_wait = true,
      std::function<bool(std::uint32_t)> holds = [](std::uint32_t) { return true; }) {
    Seconds spent{0}, held{0};
    while (spent < duration) {
      const std::uint32_t limit = policy.limit();
      const Seconds took{limit / rate_(limit)};
      const Monotonic started = now_;
      now_ += std::chrono::duration_cast<Monotonic::duration>(took);
      for (std::uint32_t i = 0; i < limit; ++i) {
        policy.finished({started, now_, 8 << 20, false, others_wait});
      }
      spent += took;
      if (holds(limit)) held += took;
    }
    return held / spent;
  }
  void overload(Concurrency& policy, std::uint32_t answers) {
    const Monotonic started = now_;
    now_ += 50ms;
    for (std::uint32_t i = 0; i < answers; ++i) policy.finished({started, now_, 0, true, true});
  }
  void idle(std::chrono::seconds time) { now_ += time; }

 private:
  const std::function<double(std::uint32_t)> rate_;
  Monotonic now_ = Monotonic{} + 1000s;
};

/// Each connection brings 10 requests per second, all of them at most `most`.
std::function<double(std::uint32_t)> capacity(double most) {
  return [most](std::uint32_t limit) { return std::min(10.0 * limit, most); };
}

TEST(Concurrency, WidensWhileThatBringsMore) {
  Server server(capacity(1e9));
  Concurrency policy({.first = 16, .most = 64});
  server.serve(policy, Seconds(3));
  EXPECT_EQ(policy.limit(), 64U);
}

TEST(Concurrency, StaysWhereMoreBringsNothing) {
  Server server(capacity(160));
  Concurrency policy({.first = 16, .most = 64});
  const double at_first =
      server.serve(policy, Seconds(600), true, [](std::uint32_t limit) { return limit == 16; });
  EXPECT_GT(at_first, 0.9);
}

TEST(Concurrency, FindsTheCapacityInBetween) {
  Server server(capacity(300));
  Concurrency policy({.first = 8, .most = 256});
  server.serve(policy, Seconds(60));
  EXPECT_GE(policy.limit(), 26U);
  EXPECT_LE(policy.limit(), 64U);
}

TEST(Concurrency, LearnsNothingFromWhoAsksForLittle) {
  Server server(capacity(1e9));
  Concurrency policy({.first = 16, .most = 64});
  server.serve(policy, Seconds(60), false);
  EXPECT_EQ(policy.limit(), 16U);
}

TEST(Concurrency, IsHalvedOnceForWhatWasUnderWayTogether) {
  Server server(capacity(1e9));
  Concurrency policy({.first = 16, .most = 64});
  server.overload(policy, 16);
  EXPECT_EQ(policy.limit(), 8U);
  server.overload(policy, 8);
  EXPECT_EQ(policy.limit(), 4U);
  for (int i = 0; i < 10; ++i) server.overload(policy, 4);
  EXPECT_EQ(policy.limit(), 1U);
  server.serve(policy, Seconds(120));
  EXPECT_GE(policy.limit(), 58U) << "and recovers";
}

TEST(Concurrency, BeginsAnewAfterAMinuteOfIdleness) {
  Server server(capacity(1e9));
  Concurrency policy({.first = 16, .most = 64});
  server.serve(policy, Seconds(3));
  server.idle(61s);
  server.serve(policy, Seconds(0.1), false);
  EXPECT_EQ(policy.limit(), 16U);
}

TEST(Concurrency, BoundsAreKept) {
  EXPECT_EQ(Concurrency({.first = 16, .most = 4}).limit(), 4U);
  EXPECT_EQ(Concurrency({.first = 0, .most = 0}).limit(), 1U);
  Server server(capacity(1e9));
  Concurrency one({.first = 1, .most = 1});
  server.serve(one, Seconds(5));
  EXPECT_EQ(one.limit(), 1U);
}

}  // namespace
}  // namespace lazyvol::net
