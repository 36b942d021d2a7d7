#include "base/timer.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <vector>

namespace lazyvol::base {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(TimerQueue, RunsInOrderOfDueTime) {
  TimerQueue timer;
  Locked<std::vector<int>> order;
  std::promise<void> begin, end;
  // The first task holds the timer's thread until all others are queued, so that their order is the
  // queue's and not that of their submission.
  timer.after(milliseconds(0), [&] { begin.get_future().wait(); });
  timer.after(milliseconds(30), [&] {
    order.lock()->push_back(3);
    end.set_value();
  });
  timer.after(milliseconds(10), [&] { order.lock()->push_back(1); });
  timer.after(milliseconds(20), [&] { order.lock()->push_back(2); });
  begin.set_value();
  end.get_future().wait();
  EXPECT_EQ(*order.lock(), (std::vector{1, 2, 3}));
}

TEST(TimerQueue, IsNeverEarly) {
  TimerQueue timer;
  std::promise<Monotonic> ran;
  const auto start = system_clock().now();
  timer.after(milliseconds(30), [&] { ran.set_value(system_clock().now()); });
  EXPECT_GE(ran.get_future().get() - start, milliseconds(30));
}

TEST(TimerQueue, CancelSaysWhetherTheTaskWillRun) {
  TimerQueue timer;
  std::promise<void> ran;
  const auto never = timer.after(hours(1), [] { FAIL(); });
  const auto soon = timer.after(milliseconds(0), [&] { ran.set_value(); });
  ran.get_future().wait();
  EXPECT_TRUE(timer.cancel(never));
  EXPECT_FALSE(timer.cancel(never));
  EXPECT_FALSE(timer.cancel(soon));
  EXPECT_FALSE(timer.cancel(999));
}

TEST(TimerQueue, CancelDestroysTheCapturesOutsideItsLock) {
  TimerQueue timer;
  // A capture whose destructor calls the timer again would hang if the lock were held.
  const std::shared_ptr<void> capture(nullptr, [&](void*) { timer.cancel(999); });
  auto holder = std::make_unique<std::shared_ptr<void>>(capture);
  const auto id = timer.after(hours(1), [held = *holder] { FAIL(); });
  holder.reset();
  EXPECT_EQ(capture.use_count(), 2);
  EXPECT_TRUE(timer.cancel(id));
  EXPECT_EQ(capture.use_count(), 1);
}

TEST(TimerQueue, StopDropsWhatWaits) {
  auto token = std::make_shared<int>(0);
  TimerQueue timer;
  timer.after(hours(1), [token] { FAIL(); });
  timer.stop();
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(timer.after(milliseconds(0), [] { FAIL(); }), 0u);
  timer.stop();
}

TEST(TimerQueue, TasksMaySubmitTasks) {
  TimerQueue timer;
  std::promise<void> done;
  timer.after(milliseconds(0), [&] { timer.after(milliseconds(0), [&] { done.set_value(); }); });
  done.get_future().wait();
}

}  // namespace
}  // namespace lazyvol::base
