#include "source/lane.h"

#include <gtest/gtest.h>

#include <future>
#include <vector>

namespace lazyvol::source {
namespace {

TEST(Lane, ThatIsStuckLeavesThePoolToOthers) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  base::Workers workers("pool", 3);
  const auto stuck = std::make_shared<Lane>(workers, 2);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(stuck->submit([released] { released.wait(); }));
  const auto other = std::make_shared<Lane>(workers, 2);
  std::promise<void> ran;
  EXPECT_TRUE(other->submit([&] { ran.set_value(); }));
  EXPECT_EQ(ran.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
  release.set_value();
  workers.stop();
}

TEST(Lane, RunsInOrderAndRunsAllThatItTook) {
  std::vector<int> order;
  base::Workers workers("pool", 4);
  const auto lane = std::make_shared<Lane>(workers, 1);
  std::promise<void> release;
  ASSERT_TRUE(lane->submit([&] { release.get_future().wait(); }));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(lane->submit([&order, i] { order.push_back(i); }));
  std::thread stopper([&] { workers.stop(); });
  release.set_value();
  stopper.join();
  ASSERT_EQ(order.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_FALSE(lane->submit([] {}));
}

}  // namespace
}  // namespace lazyvol::source
