// Which requests are made of what readers want, in which order, and how many at a time.
#include <gtest/gtest.h>

#include "fetch/fetcher.h"
#include "manual_source.h"
#include "rig.h"

namespace lazyvol::fetch::testing {
namespace {

using ManualRig = Rig<ManualSource>;

RequestContext urgency(Priority priority) {
  RequestContext ctx;
  ctx.priority = priority;
  ctx.cause = priority == Priority::reader ? Cause::read : Cause::readahead;
  return ctx;
}

FetchOptions with(std::uint32_t max_requests, std::uint64_t max_request_bytes = 8 * kMiB) {
  FetchOptions options = ManualRig::defaults();
  options.max_requests = max_requests;
  options.max_request_bytes = max_request_bytes;
  return options;
}

TEST(Requests, AreCutAtTheLargestSize) {
  ManualRig rig(with(16, 2 * kBlock));
  const std::string bytes = pattern(5 * kBlock);
  auto content = rig.open("a", bytes);
  auto answer = rig.read(content, 0, bytes.size());
  for (const std::uint64_t blocks : {2, 2, 1}) {
    auto request = rig.source->next();
    EXPECT_EQ(request->request.length, blocks * kBlock);
    request->serve();
  }
  EXPECT_EQ(answer->bytes(), bytes);
}

TEST(Requests, NoMoreThanAllowedAreInFlight) {
  ManualRig rig(with(2, kBlock));
  const std::string bytes = pattern(8 * kBlock);
  auto content = rig.open("a", bytes);
  // Every second block: nothing to coalesce.
  std::vector<std::unique_ptr<Answer>> answers;
  for (std::uint64_t b = 0; b < 8; b += 2) answers.push_back(rig.read(content, b * kBlock, 1));
  auto first = rig.source->next();
  auto second = rig.source->next();
  EXPECT_TRUE(rig.source->none());
  EXPECT_EQ(rig.stats().in_flight_requests, 2u);
  second->serve();
  auto third = rig.source->next();
  EXPECT_TRUE(rig.source->none());
  EXPECT_EQ(third->request.offset, 4 * kBlock);
  first->serve();
  third->serve();
  rig.source->next()->serve();
  for (auto& answer : answers) answer->bytes();
}

TEST(Requests, NeighboursThatWaitBecomeOne) {
  ManualRig rig(with(1));
  const std::string bytes = pattern(9 * kBlock);
  auto content = rig.open("a", bytes);
  auto first = rig.read(content, 0, 1);
  auto blocking = rig.source->next();
  auto one = rig.read(content, 2 * kBlock, kBlock);
  auto two = rig.read(content, 3 * kBlock, 2 * kBlock);
  auto far = rig.read(content, 7 * kBlock, 1);
  blocking->serve();
  auto merged = rig.source->next();
  EXPECT_EQ(merged->request.offset, 2 * kBlock);
  EXPECT_EQ(merged->request.length, 3 * kBlock);
  merged->serve();
  EXPECT_EQ(two->bytes(), bytes.substr(3 * kBlock, 2 * kBlock));
  auto last = rig.source->next();
  EXPECT_EQ(last->request.offset, 7 * kBlock);
  last->serve();
  first->wait();
  one->wait();
  far->wait();
}

TEST(Requests, ReadersGoBeforeReadaheadAndThatBeforeHydration) {
  ManualRig rig(with(1, kBlock));
  const std::string bytes = pattern(16 * kBlock);
  auto content = rig.open("a", bytes);
  auto first = rig.read(content, 0, 1);
  auto blocking = rig.source->next();
  content->want(4 * kBlock, 5 * kBlock, urgency(Priority::hydrate), nullptr);
  content->want(8 * kBlock, 9 * kBlock, urgency(Priority::readahead), nullptr);
  auto reader = rig.read(content, 12 * kBlock, 1);
  blocking->serve();
  for (const std::uint64_t block : {12, 8, 4}) {
    auto request = rig.source->next();
    EXPECT_EQ(request->request.offset, block * kBlock);
    request->serve();
  }
  reader->wait();
  first->wait();
}

TEST(Requests, AReaderBringsForwardWhatWasQueuedForLater) {
  ManualRig rig(with(1));
  const std::string bytes = pattern(32 * kBlock);
  auto content = rig.open("a", bytes);
  auto first = rig.read(content, 0, 1);
  auto blocking = rig.source->next();
  content->want(2 * kBlock, 4 * kBlock, urgency(Priority::readahead), nullptr);
  content->want(8 * kBlock, 16 * kBlock, urgency(Priority::hydrate), nullptr);
  auto late = rig.read(content, 12 * kBlock + 1, 100);  // in the middle of the last one
  blocking->serve();
  auto raised = rig.source->next();
  EXPECT_EQ(raised->request.offset, 12 * kBlock);  // from its block on, not from the start
  EXPECT_EQ(raised->context.priority, Priority::reader);
  raised->serve();
  EXPECT_EQ(late->bytes(), bytes.substr(12 * kBlock + 1, 100));
  auto readahead = rig.source->next();
  EXPECT_EQ(readahead->request.offset, 2 * kBlock);
  readahead->serve();
  auto rest = rig.source->next();
  EXPECT_EQ(rest->request.offset, 8 * kBlock);
  EXPECT_EQ(rest->request.length, 4 * kBlock);
  rest->serve();
  rig.await_rest();
  EXPECT_EQ(rig.stats().bytes_fetched, (1 + 2 + 8) * kBlock);
  first->wait();
}

TEST(Requests, ReadaheadLeavesAReaderItsSlot) {
  ManualRig rig(with(2, kBlock));
  const std::string bytes = pattern(16 * kBlock);
  auto content = rig.open("a", bytes);
  content->want(0, 8 * kBlock, urgency(Priority::readahead), nullptr);
  auto ahead = rig.source->next();
  EXPECT_TRUE(rig.source->none());
  auto answer = rig.read(content, 12 * kBlock, 1);
  auto request = rig.source->next();
  EXPECT_EQ(request->request.offset, 12 * kBlock);
  request->serve();
  answer->wait();
  ahead->serve();
  for (int i = 0; i < 7; ++i) rig.source->next()->serve();
  rig.await_rest();
}

TEST(Requests, WhoAsksAndWhyIsPassedOn) {
  ManualRig rig;
  auto content = rig.open("a", pattern(kBlock));
  RequestContext ctx;
  ctx.cause = Cause::check;
  ctx.pid = 4711;
  auto answer = rig.read(content, 0, 1, ctx);
  auto request = rig.source->next();
  EXPECT_EQ(request->context.pid, 4711u);
  EXPECT_EQ(request->context.cause, Cause::check);
  request->serve();
  answer->wait();
}

TEST(Want, IsDoneWhenAllIsStored) {
  ManualRig rig;
  rig.cache->hold_stores(true);
  const std::string bytes = pattern(3 * kBlock);
  auto content = rig.open("a", bytes);
  std::atomic<int> done{0};
  content->want(10, bytes.size(), urgency(Priority::hydrate), [&](Status status) {
    EXPECT_TRUE(status.ok());
    ++done;
  });
  rig.source->next()->serve();
  eventually([&] { return rig.cache->stores_waiting() > 0; }, "a store under way");
  EXPECT_EQ(done, 0);
  rig.cache->hold_stores(false);
  eventually([&] { return done == 1; }, "done");
  EXPECT_EQ(rig.cache->stored(), 3u);
  content->want(0, bytes.size(), urgency(Priority::hydrate), [&](Status status) {
    EXPECT_TRUE(status.ok());
    ++done;
  });
  EXPECT_EQ(done, 2);  // nothing to do: at once
  content->want(bytes.size(), bytes.size() + 5, {}, [&](Status) { ++done; });
  EXPECT_EQ(done, 3);
}

TEST(Want, OfAHugeFileQueuesABoundedPart) {
  FetchOptions options = with(1, kBlock);
  options.max_readahead = 4 * kBlock;
  ManualRig rig(options);
  const std::uint64_t blocks = 40;
  const std::string bytes = pattern(blocks * kBlock);
  auto content = rig.open("a", bytes);
  std::atomic<bool> done{false};
  content->want(0, bytes.size(), urgency(Priority::hydrate), [&](Status) { done = true; });
  for (std::uint64_t i = 0; i < blocks; ++i) rig.source->next()->serve();
  eventually([&] { return done.load(); }, "all of it");
  EXPECT_EQ(rig.stats().bytes_fetched, bytes.size());
}

TEST(Want, SaysWhenTheCacheDoesNotStore) {
  ManualRig rig;
  rig.cache->fail_stores(true);
  auto content = rig.open("a", pattern(kBlock));
  std::optional<Code> code;
  std::atomic<bool> done{false};
  content->want(0, kBlock, urgency(Priority::hydrate), [&](Status status) {
    if (!status.ok()) code = status.error().code;
    done = true;
  });
  rig.source->next()->serve();
  eventually([&] { return done.load(); }, "an answer");
  EXPECT_EQ(code, Code::no_space);
}

}  // namespace
}  // namespace lazyvol::fetch::testing
