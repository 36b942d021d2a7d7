// Servers without ranges: one stream for everybody.
#include <gtest/gtest.h>

#include "manual_source.h"
#include "rig.h"

namespace lazyvol::fetch::testing {
namespace {

using ManualRig = Rig<ManualSource>;

ReadStart all_of(const std::string& bytes) {
  return {"v1", 0, bytes.size(), bytes.size()};
}

TEST(Whole, OneStreamAnswersEveryReaderOfTheContent) {
  ManualRig rig;
  const std::string bytes = pattern(8 * kBlock + 9);
  auto content = rig.open("a", bytes);
  auto middle = rig.read(content, 4 * kBlock + 5, 1000);
  auto request = rig.source->next();
  auto start = rig.read(content, 0, 100);
  auto other = rig.source->next();
  EXPECT_EQ(request->start(all_of(bytes)), Flow::proceed);
  EXPECT_EQ(other->start(all_of(bytes)), Flow::abort);  // the first stream brings it
  other->done(Error{Code::cancelled, "aborted"});
  auto late = rig.read(content, 7 * kBlock, 2 * kBlock);
  EXPECT_TRUE(rig.source->none());

  request->send(kBlock);
  EXPECT_EQ(start->bytes(), bytes.substr(0, 100));
  EXPECT_FALSE(middle->answered());
  request->send(4 * kBlock);
  EXPECT_EQ(middle->bytes(), bytes.substr(4 * kBlock + 5, 1000));
  request->send(bytes.size());
  request->done();
  EXPECT_EQ(late->bytes(), bytes.substr(7 * kBlock, 2 * kBlock));
  rig.cache->await_stored(9);  // every block that passed
  EXPECT_EQ(rig.stats().whole_fetches, 1u);
  EXPECT_EQ(rig.stats().bytes_fetched, bytes.size());
}

TEST(Whole, LaterContentsBeginWithOneRequest) {
  ManualRig rig;
  const std::string bytes = pattern(4 * kBlock);
  auto content = rig.open("a", bytes);
  auto first = rig.read(content, 0, 1);
  auto request = rig.source->next();
  request->start(all_of(bytes));
  request->send(bytes.size());
  request->done();
  first->wait();

  auto next = rig.open("b", bytes);
  auto one = rig.read(next, 0, 1);
  auto two = rig.read(next, 2 * kBlock, 1);
  auto three = rig.read(next, 3 * kBlock, 1);
  auto only = rig.source->next();
  EXPECT_TRUE(rig.source->none());
  only->start(all_of(bytes));
  only->send(bytes.size());
  only->done();
  one->bytes();
  two->bytes();
  three->bytes();
  EXPECT_EQ(rig.source->reads(), 2u);

  // This one does honour ranges: from here on several requests are in flight again.
  auto good = rig.open("c", bytes);
  auto left = rig.read(good, 0, 1);
  auto right = rig.read(good, 2 * kBlock, 1);
  auto probe = rig.source->next();
  EXPECT_TRUE(rig.source->none());
  probe->start();
  rig.source->next()->serve();
  EXPECT_TRUE(right->answered());
  probe->send(kBlock);
  probe->done();
  left->bytes();
}

TEST(Whole, ABrokenStreamStartsAgainAndStoresNothingTwice) {
  ManualRig rig;
  const std::string bytes = pattern(4 * kBlock);
  auto content = rig.open("a", bytes);
  auto answer = rig.read(content, 3 * kBlock, 10);
  auto request = rig.source->next();
  request->start(all_of(bytes));
  request->send(2 * kBlock + 50);
  request->done(Error{Code::io_error, "broken"});
  rig.cache->await_stored(2);
  auto again = rig.source->next();
  EXPECT_EQ(again->request.offset, 0u);
  EXPECT_EQ(again->request.length, bytes.size());
  again->serve();
  EXPECT_EQ(answer->bytes(), bytes.substr(3 * kBlock, 10));
  rig.await_rest();
  EXPECT_EQ(rig.cache->stored(), 4u);
}

TEST(Whole, ABlockLostBehindTheStreamWaitsForTheNextOne) {
  ManualRig rig;
  const std::string bytes = pattern(4 * kBlock);
  auto content = rig.open("a", bytes);
  auto answer = rig.read(content, 3 * kBlock, 10);
  auto request = rig.source->next();
  request->start(all_of(bytes));
  request->send(2 * kBlock + 1);
  rig.cache->await_stored(2);
  // Until the engine heard of it, both are still served from memory. Then the stream holds the
  // block being filled and room for one more.
  eventually([&] { return rig.stats().in_flight_bytes <= 2 * kBlock; }, "both let go");
  rig.cache->content(content->ref().key, bytes.size())->evict();
  auto lost = rig.read(content, 0, 10);
  EXPECT_TRUE(rig.source->none());
  request->send(2 * kBlock);
  request->done();
  EXPECT_EQ(answer->bytes(), bytes.substr(3 * kBlock, 10));
  EXPECT_FALSE(lost->answered());
  auto next = rig.source->next();
  next->start(all_of(bytes));
  next->send(kBlock);
  EXPECT_EQ(lost->bytes(), bytes.substr(0, 10));
  next->send(3 * kBlock);
  next->done();
}

TEST(Whole, EndsWithItsReaderBeforeItsFirstBlockAndGoesOnAfterwards) {
  ManualRig rig;
  const std::string bytes = pattern(4 * kBlock);
  auto content = rig.open("a", bytes);
  std::stop_source early;
  RequestContext ctx;
  ctx.stop = early.get_token();
  auto answer = rig.read(content, 0, 10, ctx);
  auto request = rig.source->next();
  request->start(all_of(bytes));
  request->send(100);
  early.request_stop();
  EXPECT_TRUE(request->stopped());
  EXPECT_EQ(answer->code(), Code::cancelled);

  std::stop_source late;
  ctx.stop = late.get_token();
  auto second = rig.read(content, 3 * kBlock, 10, ctx);
  auto stream = rig.source->next();
  stream->start(all_of(bytes));
  stream->send(2 * kBlock + 100);
  late.request_stop();
  EXPECT_FALSE(stream->stopped());
  stream->send(2 * kBlock);
  stream->done();
  rig.cache->await_stored(4);
}

TEST(Whole, PausesWhenMemoryIsShortAndGoesOnWhenItIsFree) {
  ManualRig rig(ManualRig::defaults(), 4 * kBlock);
  rig.cache->hold_stores(true);
  const std::string bytes = pattern(16 * kBlock);
  auto content = rig.open("a", bytes);
  auto answer = rig.read(content, 15 * kBlock, 10);
  auto request = rig.source->next();
  ASSERT_EQ(request->start(all_of(bytes)), Flow::proceed);
  std::uint64_t sent = 0;
  Flow flow = Flow::proceed;
  while (flow == Flow::proceed) {
    flow = request->send(16 * kKiB);
    sent += 16 * kKiB;
    ASSERT_LT(sent, 5 * kBlock);
  }
  EXPECT_EQ(flow, Flow::pause);
  EXPECT_LE(rig.stats().peak_bytes, 4 * kBlock);
  rig.cache->hold_stores(false);
  int pauses = 0;
  while (sent < bytes.size()) {
    if (flow == Flow::pause) request->await_resumes(++pauses);
    flow = request->send(16 * kKiB);
    sent += 16 * kKiB;
  }
  request->done();
  EXPECT_EQ(answer->bytes(), bytes.substr(15 * kBlock, 10));
  rig.await_rest();
  EXPECT_LE(rig.stats().peak_bytes, 4 * kBlock);
}

TEST(Whole, WithoutACacheTheStreamWaitsForItsReader) {
  ManualRig rig(ManualRig::defaults(), 16 * kBlock);  // 4 blocks live on
  rig.cache->fail_stores(true);
  const std::string bytes = pattern(24 * kBlock);
  auto content = rig.open("a", bytes);
  auto first = rig.read(content, 0, kBlock);
  auto request = rig.source->next();
  request->start(all_of(bytes));
  std::uint64_t sent = 0;
  int pauses = 0;
  std::uint64_t at = 0;
  std::unique_ptr<Answer> answer = std::move(first);
  // The reader is slower than the stream: it asks for the next block when the stream has paused.
  while (at < 24) {
    while (!answer->answered()) {
      const Flow flow = request->send(64 * kKiB);
      sent += 64 * kKiB;
      if (flow != Flow::pause) continue;
      ++pauses;
      if (answer->answered()) break;
      request->await_resumes(pauses);
    }
    EXPECT_EQ(answer->bytes(), bytes.substr(at * kBlock, kBlock));
    if (++at < 24) answer = rig.read(content, at * kBlock, kBlock);
  }
  EXPECT_EQ(rig.source->reads(), 1u);  // one stream served all of it
  EXPECT_EQ(rig.stats().bytes_fetched, bytes.size());
  request->done();
}

}  // namespace
}  // namespace lazyvol::fetch::testing
