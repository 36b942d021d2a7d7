// Readers that go away, and the end of everything.
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "base/locked.h"
#include "fetch/fetcher.h"
#include "manual_source.h"
#include "rig.h"

namespace lazyvol::fetch::testing {
namespace {

using ManualRig = Rig<ManualSource>;

RequestContext until(const std::stop_source& stop) {
  RequestContext ctx;
  ctx.stop = stop.get_token();
  return ctx;
}

TEST(Cancel, AnswersAtOnceAndNeverWritesAfterwards) {
  ManualRig rig;
  const std::string bytes = pattern(4 * kBlock);
  auto content = rig.open("a", bytes);
  auto other = rig.read(content, 0, bytes.size());
  std::stop_source stop;
  auto answer = rig.read(content, kBlock, kBlock, until(stop));
  auto request = rig.source->next();
  request->start();
  request->send(kBlock + 100);
  std::memset(answer->out().data(), 'x', answer->out().size());
  stop.request_stop();
  ASSERT_TRUE(answer->answered());
  EXPECT_EQ(answer->code(), Code::cancelled);
  request->send(3 * kBlock);
  request->done();
  EXPECT_EQ(other->bytes(), bytes);  // the other reader is not disturbed
  for (const std::byte byte : answer->out()) ASSERT_EQ(byte, std::byte{'x'});
  EXPECT_EQ(rig.stats().cancelled, 1u);
}

TEST(Cancel, AReadThatWasStoppedBeforeItBegan) {
  ManualRig rig;
  auto content = rig.open("a", pattern(kBlock));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(rig.read(content, 0, 1, until(stop))->code(), Code::cancelled);
  EXPECT_EQ(rig.source->reads(), 0u);
}

TEST(Cancel, ARequestThatNobodyNeedsIsTakenBackAtTheSource) {
  ManualRig rig;
  const std::string bytes = pattern(16 * kBlock);
  auto content = rig.open("a", bytes);
  std::stop_source stop;
  auto answer = rig.read(content, 0, bytes.size(), until(stop));
  auto request = rig.source->next();
  request->start();
  request->send(kBlock / 2);
  EXPECT_FALSE(request->stopped());
  stop.request_stop();
  EXPECT_EQ(answer->code(), Code::cancelled);
  EXPECT_TRUE(request->stopped());
  rig.await_rest();
  // A new reader begins anew.
  auto again = rig.read(content, 0, 10);
  rig.source->next()->serve();
  EXPECT_EQ(again->bytes(), bytes.substr(0, 10));
}

TEST(Cancel, ARequestThatIsNearlyThroughGoesOn) {
  ManualRig rig;
  const std::string bytes = pattern(3 * kBlock);
  auto content = rig.open("a", bytes);
  std::stop_source stop;
  auto answer = rig.read(content, 0, bytes.size(), until(stop));
  auto request = rig.source->next();
  request->start();
  request->send(2 * kBlock + 5);
  stop.request_stop();
  EXPECT_EQ(answer->code(), Code::cancelled);
  EXPECT_FALSE(request->stopped());
  request->send(kBlock);
  request->done();
  rig.cache->await_stored(3);
}

TEST(Cancel, WhatWaitsInTheQueueLeavesIt) {
  FetchOptions options = ManualRig::defaults();
  options.max_requests = 1;
  ManualRig rig(options);
  const std::string bytes = pattern(10 * kBlock);
  auto content = rig.open("a", bytes);
  auto first = rig.read(content, 0, 1);
  auto blocking = rig.source->next();
  std::stop_source stop, stop_middle;
  auto gone = rig.read(content, 2 * kBlock, kBlock, until(stop));
  auto run = rig.read(content, 5 * kBlock, 5 * kBlock, until(stop_middle));
  auto stays = rig.read(content, 7 * kBlock, 1);  // shares the middle of the run
  stop.request_stop();
  stop_middle.request_stop();
  EXPECT_EQ(gone->code(), Code::cancelled);
  EXPECT_EQ(run->code(), Code::cancelled);
  blocking->serve();
  auto request = rig.source->next();
  EXPECT_EQ(request->request.offset, 7 * kBlock);
  EXPECT_EQ(request->request.length, kBlock);
  request->serve();
  EXPECT_EQ(stays->bytes(), bytes.substr(7 * kBlock, 1));
  first->wait();
  rig.await_rest();
  EXPECT_TRUE(rig.source->none());
}

TEST(Cancel, AWantIsAnsweredAndItsRequestsEnd) {
  ManualRig rig;
  auto content = rig.open("a", pattern(16 * kBlock));
  std::stop_source stop;
  std::optional<Code> code;
  content->want(0, 16 * kBlock, until(stop), [&](Status status) {
    if (!status.ok()) code = status.error().code;
  });
  auto request = rig.source->next();
  stop.request_stop();
  EXPECT_EQ(code, Code::cancelled);
  EXPECT_TRUE(request->stopped());
}

TEST(Cancel, ClosingAReaderEndsItsReadahead) {
  ManualRig rig;
  const std::string bytes = pattern(64 * kBlock);
  auto content = rig.open("a", bytes);
  auto reader = std::make_unique<ContentReader>(content, rig.fetcher->options());
  for (std::uint64_t at = 0; at < 2 * kBlock; at += kBlock) {
    Answer answer(kBlock);
    reader->read(at, answer.out(), {}, answer.done());
    rig.source->next()->serve();
    answer.wait();
  }
  auto ahead = rig.source->next();
  EXPECT_EQ(ahead->context.priority, Priority::readahead);
  EXPECT_FALSE(ahead->stopped());
  reader.reset();
  EXPECT_TRUE(ahead->stopped());
}

TEST(Cancel, RacesWithArrival) {
  const std::string bytes = pattern(2 * kBlock);
  for (int round = 0; round < 200; ++round) {
    ManualRig rig;
    auto content = rig.open("a", bytes);
    std::stop_source stop;
    auto answer = rig.read(content, 0, bytes.size(), until(stop));
    auto request = rig.source->next();
    request->start();
    std::thread stopper([&] { stop.request_stop(); });
    request->send(bytes.size());
    request->done();
    const auto& result = answer->wait();
    if (result.ok()) {
      EXPECT_EQ(answer->bytes(), bytes);
    } else {
      EXPECT_EQ(result.error().code, Code::cancelled);
    }
    stopper.join();
  }
}

TEST(Stop, AnswersAllThatWaitAndComesToRest) {
  FetchOptions options = ManualRig::defaults();
  options.max_requests = 2;
  ManualRig rig(options);
  auto content = rig.open("a", pattern(32 * kBlock));
  auto flying = rig.read(content, 0, kBlock);
  auto queued = rig.read(content, 20 * kBlock, kBlock);
  std::optional<Code> wanted;
  content->want(0, 32 * kBlock, {}, [&](Status status) {
    if (!status.ok()) wanted = status.error().code;
  });
  rig.source->next()->start();
  rig.fetcher->stop();
  EXPECT_EQ(flying->code(), Code::cancelled);
  EXPECT_EQ(queued->code(), Code::cancelled);
  EXPECT_EQ(wanted, Code::cancelled);
  rig.expect_at_rest();
  EXPECT_EQ(rig.read(content, 0, 1)->code(), Code::cancelled);
  rig.fetcher->stop();  // idempotent
}

/// Keeps what it was given, as a source may.
class Hoarder final : public Source {
 public:
  ManualSource& inner() { return inner_; }
  std::size_t hoarded() const { return sinks_.lock()->size(); }

  SourceTraits traits() const override { return inner_.traits(); }
  void list(std::string, std::string, RequestContext, ListDone) override {}
  void stat(std::string, RequestContext, StatDone) override {}
  std::shared_ptr<Transfer> read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                 RequestContext ctx) override {
    sinks_.lock()->push_back(sink);
    return inner_.read(std::move(request), std::move(sink), std::move(ctx));
  }

 private:
  ManualSource inner_;
  base::Locked<std::vector<std::shared_ptr<ReadSink>>> sinks_;
};

TEST(Stop, LeavesNothingWithTheSource) {
  const auto source = std::make_shared<Hoarder>();
  const auto cache = std::make_shared<MemoryCache>();
  const std::string bytes = pattern(2 * kBlock);
  source->inner().put("a", bytes);
  {
    base::TimerQueue timer;
    base::Workers disk("disk", 2);
    const auto fetcher =
        Fetcher::make(source, FetchEnvironment{cache, timer, disk}, ManualRig::defaults(), nullptr);
    const auto content = fetcher->open(ManualRig::ref("a", bytes.size()));
    Answer served(kBlock), stopped(kBlock);
    content->read(0, served.out(), {}, served.done());
    source->inner().next()->serve();
    EXPECT_EQ(served.bytes(), bytes.substr(0, kBlock));
    content->read(kBlock, stopped.out(), {}, stopped.done());
    source->inner().next()->start();
    fetcher->stop();
    EXPECT_EQ(stopped.code(), Code::cancelled);
  }
  EXPECT_EQ(source->hoarded(), 2u);
  EXPECT_EQ(source.use_count(), 1);
  EXPECT_EQ(cache.use_count(), 1);
}

TEST(Stop, StoresWhatHasArrived) {
  ManualRig rig;
  const std::string bytes = pattern(6 * kBlock);  // more than the disk's threads take at once
  auto content = rig.open("a", bytes);
  rig.cache->hold_stores(true);
  auto answer = rig.read(content, 0, bytes.size());
  rig.source->next()->serve();
  EXPECT_EQ(answer->bytes(), bytes);
  std::thread stopper([&] { rig.fetcher->stop(); });
  eventually([&] { return !rig.read(content, 0, 1)->wait().ok(); }, "stopping");
  rig.cache->hold_stores(false);
  stopper.join();
  EXPECT_EQ(rig.read(content, 0, bytes.size())->bytes(), bytes);
}

TEST(Stop, CachedBlocksOfAnOpenContentAreStillServed) {
  ManualRig rig;
  const std::string bytes = pattern(kBlock);
  auto content = rig.open("a", bytes);
  auto answer = rig.read(content, 0, bytes.size());
  rig.source->next()->serve();
  answer->wait();
  rig.cache->await_stored(1);
  rig.fetcher->stop();
  EXPECT_EQ(rig.read(content, 0, bytes.size())->bytes(), bytes);
}

}  // namespace
}  // namespace lazyvol::fetch::testing
