#include "base/workers.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <barrier>
#include <future>

namespace lazyvol::base {
namespace {

TEST(Workers, RunsTasksInOrderOfArrival) {
  std::vector<int> order;
  {
    Workers workers("one", 1);
    for (int i = 0; i < 100; ++i) {
      EXPECT_TRUE(workers.submit([&order, i] { order.push_back(i); }));
    }
  }  // destruction runs what is queued
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(Workers, RunsOnAllItsThreads) {
  Workers workers("many", 4);
  std::barrier all(5);  // passes only when four tasks run at once
  for (int i = 0; i < 4; ++i) workers.submit([&] { all.arrive_and_wait(); });
  all.arrive_and_wait();
  workers.stop();
}

TEST(Workers, NamesItsThreads) {
  Workers workers("a-name-longer-than-15", 1);
  std::promise<std::string> name;
  workers.submit([&] {
    std::array<char, 16> text{};
    pthread_getname_np(pthread_self(), text.data(), text.size());
    name.set_value(text.data());
  });
  EXPECT_EQ(name.get_future().get(), "a-name-longer-t");
}

TEST(Workers, RefusesAfterStop) {
  Workers workers("stopped", 2);
  std::atomic<int> ran = 0;
  workers.submit([&] { ++ran; });
  workers.stop();
  EXPECT_EQ(ran, 1);
  EXPECT_FALSE(workers.submit([&] { ++ran; }));
  workers.stop();
  EXPECT_EQ(ran, 1);
}

TEST(Workers, CountsWhatWaits) {
  Workers workers("count", 1);
  std::promise<void> started, release;
  workers.submit([&] {
    started.set_value();
    release.get_future().wait();
  });
  started.get_future().wait();
  workers.submit([] {});
  workers.submit([] {});
  EXPECT_EQ(workers.queued(), 2u);
  release.set_value();
  workers.stop();
  EXPECT_EQ(workers.queued(), 0u);
}

}  // namespace
}  // namespace lazyvol::base
