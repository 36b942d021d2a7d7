// Pausing, cancelling, and the end of the engine.
#include <gtest/gtest.h>

#include <future>

#include "net/recording_sink.h"
#include "support/process.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::net {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBig = 8'000'000;

class EngineFlowTest : public ::testing::TestWithParam<bool> {
 protected:
  EngineFlowTest() {
    testing::write_file(root_.path() / "big", testing::noise(kBig, 4));
    testing::NginxOptions options;
    options.tls = GetParam();
    nginx_.emplace(root_.path(), options);
    engine_.emplace(HttpEngineOptions{});
  }
  HttpRequest request() const {
    HttpRequest request = get(nginx_->url() + "big");
    if (GetParam()) {
      HttpIdentity identity;
      identity.ca_cert_path = nginx_->ca_path();
      request.identity = std::make_shared<const HttpIdentity>(identity);
    }
    return request;
  }

  testing::TempDir root_;
  std::optional<testing::Nginx> nginx_;
  std::optional<HttpEngine> engine_;
};

INSTANTIATE_TEST_SUITE_P(Protocols, EngineFlowTest, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "Http2" : "Http1"; });

TEST_P(EngineFlowTest, ASinkThatPausesAtEveryChunkGetsEveryByte) {
  auto sink = std::make_shared<RecordingSink>();
  std::promise<std::shared_ptr<Transfer>> handle;
  std::shared_future<std::shared_ptr<Transfer>> transfer = handle.get_future().share();
  std::atomic<std::uint64_t> pauses{0};
  std::atomic<bool> paused{false};
  sink->flow_on_head = Flow::pause;
  sink->flow_of_data = [&](std::span<const std::byte>) {
    EXPECT_FALSE(paused) << "data while paused";
    if (++pauses % 3 == 0) return Flow::proceed;
    paused = true;
    return Flow::pause;
  };
  handle.set_value(engine_->submit(request(), sink));
  sink->wait_for_head();
  transfer.get()->resume();
  std::thread consumer([&] {
    while (!sink->done()) {
      if (paused.exchange(false))
        transfer.get()->resume();
      else
        std::this_thread::yield();
    }
  });
  const Status status = sink->wait();
  consumer.join();
  ASSERT_TRUE(status.ok()) << status.error().message;
  EXPECT_TRUE(sink->bytes() == testing::noise(kBig, 4));
  EXPECT_GT(pauses, 10U);
}

TEST_P(EngineFlowTest, APausedTransferNeitherFlowsNorTimesOutNorStallsOthers) {
  auto slow = std::make_shared<RecordingSink>();
  std::atomic<bool> first{true};
  slow->flow_of_data = [&](std::span<const std::byte>) {
    return first.exchange(false) ? Flow::pause : Flow::proceed;
  };
  HttpRequest impatient = request();
  impatient.context.no_progress = 1000ms;
  const auto transfer = engine_->submit(impatient, slow);
  slow->wait_for_bytes(1);
  const std::uint64_t before = slow->received();
  for (int i = 0; i < 5; ++i) {
    Status status;
    const auto other = fetch(*engine_, request(), &status);
    ASSERT_TRUE(status.ok()) << status.error().message;
    EXPECT_EQ(other->received(), kBig);
  }
  // A request that does time out, after as long as the paused one has been silent.
  testing::Relay stalled(nginx_->port());
  stalled.set_stalled(true);
  HttpRequest dead = get("http://127.0.0.1:" + std::to_string(stalled.port()) + "/");
  dead.context.no_progress = 1500ms;
  Status status;
  (void)fetch(*engine_, dead, &status);
  EXPECT_EQ(status.error().code, Code::timed_out);
  EXPECT_FALSE(slow->done());
  EXPECT_EQ(slow->received(), before) << "nothing flows while paused";
  transfer->resume();
  EXPECT_TRUE(slow->wait().ok());
  EXPECT_EQ(slow->received(), kBig);
  transfer->resume();  // without effect
}

TEST_P(EngineFlowTest, AbortFromTheSink) {
  for (const bool at_head : {true, false}) {
    auto sink = std::make_shared<RecordingSink>();
    if (at_head)
      sink->flow_on_head = Flow::abort;
    else
      sink->flow_of_data = [](std::span<const std::byte>) { return Flow::abort; };
    (void)engine_->submit(request(), sink);
    const Status status = sink->wait();
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, Code::cancelled);
    EXPECT_EQ(sink->received() == 0, at_head);
  }
}

TEST_P(EngineFlowTest, AbortFromADataCallbackInsideResume) {
  auto sink = std::make_shared<RecordingSink>();
  std::atomic<int> calls{0};
  sink->flow_of_data = [&](std::span<const std::byte>) {
    return calls++ == 0 ? Flow::pause : Flow::abort;
  };
  const auto transfer = engine_->submit(request(), sink);
  sink->wait_for_bytes(1);
  transfer->resume();
  EXPECT_EQ(sink->wait().error().code, Code::cancelled);
  EXPECT_EQ(engine_->stats().in_flight, 0U);
}

TEST_P(EngineFlowTest, StopRequestedAtAnyMoment) {
  std::stop_source before;
  before.request_stop();
  HttpRequest early = request();
  early.context.stop = before.get_token();
  Status status;
  const auto sink = fetch(*engine_, early, &status);
  EXPECT_EQ(status.error().code, Code::cancelled);
  EXPECT_FALSE(sink->head());

  std::stop_source during;
  HttpRequest late = request();
  late.context.stop = during.get_token();
  auto paused = std::make_shared<RecordingSink>();
  paused->flow_of_data = [](std::span<const std::byte>) { return Flow::pause; };
  (void)engine_->submit(late, paused);
  paused->wait_for_bytes(1);
  during.request_stop();
  EXPECT_EQ(paused->wait().error().code, Code::cancelled);

  std::stop_source after;
  late.context.stop = after.get_token();
  (void)fetch(*engine_, late, &status);
  EXPECT_TRUE(status.ok());
  after.request_stop();
  EXPECT_EQ(engine_->stats().in_flight, 0U);
}

TEST_P(EngineFlowTest, StopRacesWithTheEnd) {
  for (int i = 0; i < 50; ++i) {
    std::stop_source stop;
    HttpRequest racing = request();
    racing.method = HttpRequest::Method::head;
    racing.context.stop = stop.get_token();
    auto sink = std::make_shared<RecordingSink>();
    const auto transfer = engine_->submit(racing, sink);
    if (i % 2 == 0) sink->wait_for_head();
    stop.request_stop();
    transfer->resume();
    const Status status = sink->wait();
    EXPECT_TRUE(status.ok() || status.error().code == Code::cancelled);
  }
}

TEST_P(EngineFlowTest, DestructionEndsEverything) {
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  std::vector<std::shared_ptr<Transfer>> transfers;
  std::stop_source stop;
  for (int i = 0; i < 60; ++i) {
    auto sink = std::make_shared<RecordingSink>();
    sink->flow_of_data = [i](std::span<const std::byte>) {
      return i % 2 == 0 ? Flow::pause : Flow::proceed;
    };
    HttpRequest one = request();
    one.context.stop = stop.get_token();
    transfers.push_back(engine_->submit(one, sink));
    sinks.push_back(std::move(sink));
  }
  sinks[0]->wait_for_bytes(1);
  engine_.reset();
  for (const auto& sink : sinks) {
    ASSERT_TRUE(sink->done());
    const Status status = sink->wait();
    EXPECT_TRUE(status.ok() || status.error().code == Code::cancelled);
  }
  EXPECT_FALSE(sinks[0]->wait().ok());
  for (const auto& transfer : transfers) transfer->resume();  // outlives the engine
  stop.request_stop();
}

TEST_P(EngineFlowTest, ARequestSubmittedWhileTheEngineEndsIsAnswered) {
  auto follower = std::make_shared<RecordingSink>();
  auto sink = std::make_shared<RecordingSink>();
  sink->flow_of_data = [](std::span<const std::byte>) { return Flow::pause; };
  sink->before_done = [&, again = request()] { (void)engine_->submit(again, follower); };
  (void)engine_->submit(request(), sink);
  sink->wait_for_bytes(1);
  engine_->~HttpEngine();  // by hand: the optional must stay valid for before_done
  new (&*engine_) HttpEngine(HttpEngineOptions{});
  EXPECT_EQ(sink->wait().error().code, Code::cancelled);
  EXPECT_EQ(follower->wait().error().code, Code::cancelled);
}

}  // namespace
}  // namespace lazyvol::net
