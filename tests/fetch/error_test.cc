// Retries with partial progress, deadlines, versions that are gone, refusals.
#include <gtest/gtest.h>

#include "manual_source.h"
#include "rig.h"

namespace lazyvol::fetch::testing {
namespace {

using ManualRig = Rig<ManualSource>;
using std::chrono::milliseconds;

const Error kBroken{Code::io_error, "connection broken"};

TEST(Retry, GoesOnWhereTheLastAttemptBrokeOff) {
  ManualRig rig;
  const std::string bytes = pattern(4 * kBlock);
  auto content = rig.open("a", bytes);
  auto answer = rig.read(content, 0, bytes.size());
  auto first = rig.source->next();
  first->start();
  first->send(kBlock + 12'345);
  first->done(kBroken);
  auto second = rig.source->next();
  EXPECT_EQ(second->request.offset, kBlock + 12'345);
  EXPECT_EQ(second->request.length, bytes.size() - kBlock - 12'345);
  EXPECT_EQ(second->request.validator, "v1");
  second->serve();
  EXPECT_EQ(answer->bytes(), bytes);
  EXPECT_EQ(rig.stats().bytes_fetched, bytes.size());
  EXPECT_EQ(rig.stats().retries, 1u);
  EXPECT_EQ(rig.stats().failures, 0u);
}

TEST(Retry, ProgressGivesTheRetriesBack) {
  FetchOptions options = ManualRig::defaults();
  options.io_retries = 1;
  ManualRig rig(options);
  const std::string bytes = pattern(kBlock);
  auto content = rig.open("a", bytes);
  auto answer = rig.read(content, 0, bytes.size());
  for (int i = 0; i < 4; ++i) {
    auto request = rig.source->next();
    request->start();
    request->send(1000);
    request->done(kBroken);
  }
  rig.source->next()->serve();
  EXPECT_EQ(answer->bytes(), bytes);
  EXPECT_EQ(rig.stats().retries, 4u);
}

TEST(Retry, GivesUpWhenTheRetriesAreUsedUp) {
  FetchOptions options = ManualRig::defaults();
  options.io_retries = 2;
  ManualRig rig(options);
  auto content = rig.open("a", pattern(kBlock));
  auto answer = rig.read(content, 0, 1);
  for (int i = 0; i < 3; ++i) rig.source->next()->done(Error{Code::unreachable, "refused"});
  EXPECT_EQ(answer->code(), Code::unreachable);
  EXPECT_TRUE(rig.source->none());
  EXPECT_EQ(rig.stats().failures, 1u);
  rig.await_rest();
  // A moment later the next reader finds the origin back.
  std::unique_ptr<Answer> again;
  eventually([&] { return !(again = rig.read(content, 0, 1))->answered(); }, "another try");
  rig.source->next()->serve();
  again->bytes();
}

TEST(Retry, AShortAnswerIsRetried) {
  ManualRig rig;
  const std::string bytes = pattern(2 * kBlock);
  auto content = rig.open("a", bytes);
  auto answer = rig.read(content, 0, bytes.size());
  auto request = rig.source->next();
  request->start();
  request->send(100);
  request->done();  // success, it says
  rig.source->next()->serve();
  EXPECT_EQ(answer->bytes(), bytes);
  EXPECT_EQ(rig.stats().retries, 1u);
}

TEST(Retry, ASourceMayGiveLessThanAsked) {
  ManualRig rig;
  const std::string bytes = pattern(2 * kBlock);
  auto content = rig.open("a", bytes);
  auto answer = rig.read(content, 0, bytes.size());
  auto request = rig.source->next();
  request->start(ReadStart{"v1", 0, 1000, bytes.size()});
  request->send(1000);
  request->done();
  auto rest = rig.source->next();
  EXPECT_EQ(rest->request.offset, 1000u);
  rest->serve();
  EXPECT_EQ(answer->bytes(), bytes);
  EXPECT_EQ(rig.stats().retries, 0u);
}

TEST(Retry, MoreThanPromisedOrAnotherRangeIsCorrupt) {
  ManualRig rig;
  const std::string bytes = pattern(4 * kBlock);
  auto content = rig.open("a", bytes);
  auto answer = rig.read(content, 2 * kBlock, kBlock);
  auto longer = rig.source->next();
  longer->start();
  EXPECT_EQ(longer->send(kBlock + 1), Flow::abort);
  longer->done(Error{Code::cancelled, "aborted"});
  EXPECT_EQ(answer->bytes(), bytes.substr(2 * kBlock, kBlock));  // what was promised is good

  auto other = rig.read(content, 0, kBlock);
  auto shifted = rig.source->next();
  EXPECT_EQ(shifted->start(ReadStart{"v1", 5, kBlock, bytes.size()}), Flow::abort);
  shifted->done(Error{Code::cancelled, "aborted"});
  rig.source->next()->serve();
  EXPECT_EQ(other->bytes(), bytes.substr(0, kBlock));
  EXPECT_EQ(rig.stats().retries, 1u);
}

TEST(Retry, ACorruptTailIsFetchedAgainFromItsBlock) {
  ManualRig rig;
  const std::string bytes = pattern(3 * kBlock);
  auto content = rig.open("a", bytes);
  auto answer = rig.read(content, 0, bytes.size());
  auto request = rig.source->next();
  request->start();
  request->send(kBlock + 77);
  request->done(Error{Code::corrupt, "not what it claims to be"});
  auto again = rig.source->next();
  EXPECT_EQ(again->request.offset, kBlock);
  again->serve();
  EXPECT_EQ(answer->bytes(), bytes);
}

TEST(Deadline, ASourceThatNeverAnswersIsGivenUp) {
  FetchOptions options = ManualRig::defaults();
  options.io_timeout = milliseconds(100);
  ManualRig rig(options);
  auto content = rig.open("a", pattern(4 * kBlock));
  auto answer = rig.read(content, 0, 1);
  auto request = rig.source->next();
  EXPECT_LE(request->context.no_progress, milliseconds(100));
  request->start();
  EXPECT_EQ(answer->code(), Code::timed_out);
  EXPECT_TRUE(request->stopped());
  rig.await_rest();
}

TEST(Deadline, HoldsForThoseWhoWaitBehindAStuckRequest) {
  FetchOptions options = ManualRig::defaults();
  options.io_timeout = milliseconds(100);
  options.max_requests = 1;
  ManualRig rig(options);
  auto content = rig.open("a", pattern(64 * kBlock));
  std::vector<std::unique_ptr<Answer>> answers;
  for (std::uint64_t i = 0; i < 32; ++i) answers.push_back(rig.read(content, 2 * i * kBlock, 1));
  rig.source->next()->start();
  for (auto& answer : answers) EXPECT_EQ(answer->code(), Code::timed_out);
}

TEST(Deadline, ASourceThatIsAtWorkIsWaitedForAndSoAreThoseBehindIt) {
  FetchOptions options = ManualRig::defaults();
  options.io_timeout = milliseconds(400);
  options.max_requests = 1;
  ManualRig rig(options);
  const std::string bytes = pattern(4 * kBlock);
  auto content = rig.open("a", bytes);
  auto first = rig.read(content, 0, 1);
  auto behind = rig.read(content, 2 * kBlock, 1);
  auto request = rig.source->next();
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(milliseconds(50));
    request->progress();
  }
  EXPECT_FALSE(first->answered());
  EXPECT_FALSE(behind->answered());
  request->serve();
  EXPECT_EQ(first->bytes(), bytes.substr(0, 1));
  rig.source->next()->serve();
  EXPECT_EQ(behind->bytes(), bytes.substr(2 * kBlock, 1));
}

TEST(Deadline, RetriesEndWithIt) {
  FetchOptions options = ManualRig::defaults();
  options.io_timeout = milliseconds(300);
  options.io_retries = 1000;
  ManualRig rig(options);
  auto content = rig.open("a", pattern(kBlock));
  auto answer = rig.read(content, 0, 1);
  while (!answer->answered()) {
    if (rig.source->none()) {
      std::this_thread::yield();
      continue;
    }
    rig.source->next()->done(Error{Code::unreachable, "refused"});
  }
  EXPECT_EQ(answer->code(), Code::unreachable);
}

TEST(Stale, AVersionThatIsGoneGivesStaleAndIsToldOnce) {
  ManualRig rig;
  const std::string bytes = pattern(8 * kBlock);
  auto content = rig.open("a", bytes);
  auto cached = rig.read(content, 0, kBlock);
  rig.source->next()->serve();
  cached->wait();
  rig.cache->await_stored(1);

  auto one = rig.read(content, 2 * kBlock, 1);
  auto two = rig.read(content, 5 * kBlock, 1);
  auto first = rig.source->next();
  auto second = rig.source->next();
  first->done(Error{Code::stale, "another version"});
  EXPECT_EQ(one->code(), Code::stale);
  EXPECT_TRUE(content->stale());
  second->done(Error{Code::not_found, "no such file"});
  EXPECT_EQ(two->code(), Code::stale);
  EXPECT_EQ(rig.stale_paths(), std::vector<std::string>{"a"});

  EXPECT_EQ(rig.read(content, 0, kBlock)->bytes(),
            bytes.substr(0, kBlock));                                // cached: still served
  EXPECT_EQ(rig.read(content, 7 * kBlock, 1)->code(), Code::stale);  // at once
  EXPECT_TRUE(rig.source->none());
  EXPECT_EQ(rig.stats().stale, 1u);
}

TEST(Stale, AnotherVersionInTheAnswerIsNoticedWhateverTheSourceSays) {
  ManualRig rig;
  auto content = rig.open("a", pattern(kBlock));
  auto answer = rig.read(content, 0, 1);
  auto request = rig.source->next();
  EXPECT_EQ(request->start(ReadStart{"v2", 0, kBlock, kBlock}), Flow::abort);
  request->done(Error{Code::cancelled, "aborted"});
  EXPECT_EQ(answer->code(), Code::stale);

  auto grown = rig.open("b", pattern(kBlock));
  auto other = rig.read(grown, 0, 1);
  auto longer = rig.source->next();
  EXPECT_EQ(longer->start(ReadStart{"v1", 0, kBlock, kBlock + 1}), Flow::abort);
  longer->done(Error{Code::cancelled, "aborted"});
  EXPECT_EQ(other->code(), Code::stale);
}

TEST(Stale, WhatWaitsInTheQueueIsAnsweredToo) {
  FetchOptions options = ManualRig::defaults();
  options.max_requests = 1;
  ManualRig rig(options);
  auto content = rig.open("a", pattern(8 * kBlock));
  auto one = rig.read(content, 0, 1);
  auto two = rig.read(content, 4 * kBlock, 1);
  rig.source->next()->done(Error{Code::stale, "another version"});
  EXPECT_EQ(one->code(), Code::stale);
  EXPECT_EQ(two->code(), Code::stale);
  EXPECT_TRUE(rig.source->none());
}

TEST(Failed, IsNotWaitedForAgainAtOnce) {
  FetchOptions options = ManualRig::defaults();
  options.io_retries = 0;
  ManualRig rig(options);
  auto content = rig.open("a", pattern(8 * kBlock));
  auto answer = rig.read(content, 0, kBlock);
  rig.source->next()->done(Error{Code::unreachable, "refused"});
  EXPECT_EQ(answer->code(), Code::unreachable);
  // The kernel reads the page itself when its readahead failed.
  EXPECT_EQ(rig.read(content, 0, 4096)->code(), Code::unreachable);
  EXPECT_EQ(rig.source->reads(), 1u);
}

TEST(Denied, IsAnsweredWithoutAStormOfRequests) {
  ManualRig rig;
  auto content = rig.open("a", pattern(8 * kBlock));
  auto answer = rig.read(content, 0, 1);
  rig.source->next()->done(Error{Code::access_denied, "403"});
  EXPECT_EQ(answer->code(), Code::access_denied);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(rig.read(content, 4 * kBlock, 1)->code(), Code::access_denied);
  }
  EXPECT_EQ(rig.source->reads(), 1u);
  // Another file may be allowed; and the refusal is forgotten after a moment.
  auto other = rig.open("b", pattern(kBlock));
  auto allowed = rig.read(other, 0, 1);
  rig.source->next()->serve();
  allowed->bytes();
  eventually(
      [&] {
        auto again = rig.read(content, 0, 1);
        if (rig.source->none()) return again->code() != Code::access_denied;
        rig.source->next()->serve();
        return again->bytes().size() == 1;
      },
      "the refusal forgotten");
}

}  // namespace
}  // namespace lazyvol::fetch::testing
