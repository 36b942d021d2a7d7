// Many requests at once: limits, order, and that none is lost.
#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "net/recording_sink.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::net {
namespace {

class EngineLoadTest : public ::testing::Test {
 protected:
  EngineLoadTest() { testing::write_file(root_.path() / "big", testing::noise(4'000'000, 5)); }
  testing::TempDir root_;
};

TEST_F(EngineLoadTest, TwoHundredRequestsFromManyThreadsOverEightConnections) {
  testing::Nginx nginx(root_.path());
  testing::Relay relay(nginx.port());
  const std::string all = testing::noise(4'000'000, 5);
  HttpEngineOptions options;
  options.max_connections_per_host = 8;
  HttpEngine engine(options);
  constexpr int kThreads = 4, kEach = 50;
  std::vector<std::shared_ptr<RecordingSink>> sinks(kThreads * kEach);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const int n = t * kEach + i;
        HttpRequest request = get("http://127.0.0.1:" + std::to_string(relay.port()) + "/big");
        request.range = {static_cast<std::uint64_t>(n) * 10'000, 20'000};
        request.context.priority = static_cast<Priority>(n % 5);
        sinks[n] = std::make_shared<RecordingSink>();
        (void)engine.submit(request, sinks[n]);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (std::size_t n = 0; n < sinks.size(); ++n) {
    ASSERT_TRUE(sinks[n]->wait().ok());
    EXPECT_TRUE(sinks[n]->bytes() == all.substr(n * 10'000, 20'000)) << n;
  }
  EXPECT_LE(relay.connections(), 8U);
  const HttpStats stats = engine.stats();
  EXPECT_EQ(stats.requests, 200U);
  EXPECT_EQ(stats.bytes_received, 200U * 20'000);
  EXPECT_EQ(stats.in_flight, 0U);
  EXPECT_EQ(stats.queued, 0U);
}

TEST_F(EngineLoadTest, TheUrgentGoFirst) {
  testing::Nginx nginx(root_.path());
  HttpEngineOptions options;
  options.max_connections_per_host = 1;
  HttpEngine engine(options);
  // One paused transfer holds the only connection while the others gather.
  auto blocker = std::make_shared<RecordingSink>();
  blocker->flow_on_head = Flow::pause;
  const auto transfer = engine.submit(get(nginx.url() + "big"), blocker);
  blocker->wait_for_head();

  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  const auto submit = [&](Priority priority, int label) {
    auto sink = std::make_shared<RecordingSink>();
    sink->before_done = [&, label] {
      const std::lock_guard lock(mutex);
      order.push_back(label);
    };
    HttpRequest request = get(nginx.url() + "big");
    request.method = HttpRequest::Method::head;
    request.context.priority = priority;
    (void)engine.submit(request, sink);
    sinks.push_back(std::move(sink));
  };
  submit(Priority::hydrate, 6);
  submit(Priority::sibling, 5);
  submit(Priority::reader, 1);
  submit(Priority::metadata, 4);
  submit(Priority::readahead, 3);
  submit(Priority::reader, 2);
  transfer->resume();
  for (const auto& sink : sinks) EXPECT_TRUE(sink->wait().ok());
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4, 5, 6}));
}

TEST_F(EngineLoadTest, AReaderDoesNotWaitForHydration) {
  testing::Nginx nginx(root_.path());
  HttpEngineOptions engine_options;
  engine_options.max_connections_per_host = 4;
  HttpEngine engine(engine_options);
  std::stop_source stop;
  std::vector<std::shared_ptr<RecordingSink>> slow;
  for (int i = 0; i < 20; ++i) {
    HttpRequest request = get(nginx.url() + "big");
    request.context.priority = Priority::hydrate;
    request.context.stop = stop.get_token();
    slow.push_back(std::make_shared<RecordingSink>());
    slow.back()->flow_on_head = Flow::pause;  // takes its time
    (void)engine.submit(request, slow.back());
  }
  for (int i = 0; i < 3; ++i) slow[i]->wait_for_head();
  EXPECT_EQ(engine.stats().in_flight, 3U);
  EXPECT_EQ(engine.stats().queued, 17U);
  Status status;
  const auto reader = fetch(engine, get(nginx.url() + "big"), &status);
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(reader->received(), 4'000'000U);
  for (const auto& sink : slow) EXPECT_FALSE(sink->done());
  stop.request_stop();
  for (const auto& sink : slow) EXPECT_EQ(sink->wait().error().code, Code::cancelled);
}

TEST_F(EngineLoadTest, LateJoinersOfAClosedDownHostAreServed) {
  testing::Nginx nginx(root_.path());
  testing::Relay relay(nginx.port());
  HttpEngineOptions options;
  options.max_connections_per_host = 4;
  HttpEngine engine(options);
  const std::string url = "http://127.0.0.1:" + std::to_string(relay.port()) + "/big";
  for (int round = 0; round < 5; ++round) {
    std::vector<std::shared_ptr<RecordingSink>> sinks;
    for (int i = 0; i < 20; ++i) {
      sinks.push_back(std::make_shared<RecordingSink>());
      (void)engine.submit(get(url), sinks.back());
    }
    sinks[0]->wait_for_bytes(1);
    relay.cut_all();
    for (const auto& sink : sinks) {
      const Status status = sink->wait();
      EXPECT_TRUE(status.ok() || status.error().code == Code::io_error) << status.error().message;
    }
    Status status;
    (void)fetch(engine, get(url), &status);
    EXPECT_TRUE(status.ok());
  }
  EXPECT_EQ(engine.stats().in_flight, 0U);
}

}  // namespace
}  // namespace lazyvol::net
