// Frames from origins that fail, lie, lack things or are slow; and readers that leave.
#include <gtest/gtest.h>
#include <thread>

#include "auto_source.h"
#include "frame_rig.h"
#include "manual_source.h"

namespace lazyvol::fetch::testing {
namespace {

using std::chrono::milliseconds;
using Auto = FrameRig<AutoSource>;
using Manual = FrameRig<ManualSource>;
using Behaviour = AutoSource::Behaviour;

/// Inverts a bit within each of the frames.
Behaviour lie(const Pack& pack, const ReadRequest& request) {
  Behaviour b;
  for (const auto& frame : pack.frames) {
    if (frame.offset >= request.offset) {
      b.flip = frame.offset + frame.stored / 2;
      break;
    }
  }
  return b;
}

TEST(FrameFault, OneOfThreeOriginsLies) {
  Auto rig(Auto::defaults(), 3);
  const Pack pack = rig.put(make_pack(texts(20, 50'000)));
  rig.origin(0).script = [&](const ReadRequest& request) { return lie(pack, request); };
  for (std::size_t i = 0; i < pack.frames.size(); ++i) {
    EXPECT_EQ(rig.get(pack.frames[i])->bytes(), pack.raw[i]);
  }
  rig.await_rest();
  EXPECT_GE(rig.stats().corrupt, 1u);
  EXPECT_EQ(rig.stats().corrupt, rig.origin(0).reads().size());
  EXPECT_EQ(rig.stats().failovers, rig.stats().corrupt);
  EXPECT_GT(rig.origin(1).reads().size(), 10u);  // the liar is demoted
  EXPECT_EQ(rig.origin(2).reads().size(), 0u);
  EXPECT_EQ(rig.stats().failures, 0u);
}

TEST(FrameFault, ALieHarmsOneFrameOfARequest) {
  Auto rig(Auto::defaults(), 2);
  const Pack pack = rig.put(make_pack(texts(20, 50'000)));
  rig.origin(0).script = [&](const ReadRequest& request) { return lie(pack, request); };
  EXPECT_EQ(rig.want(pack.frames)->code(), std::nullopt);
  EXPECT_EQ(rig.stats().corrupt, 1u);
  ASSERT_EQ(rig.origin(1).reads().size(), 1u);
  EXPECT_EQ(rig.origin(1).reads()[0].length, pack.frames[0].stored);
  for (std::size_t i = 0; i < pack.frames.size(); ++i) {
    EXPECT_EQ(*rig.store->at_hand(pack.frames[i], FrameUse::bundle), pack.raw[i]);
  }
}

TEST(FrameFault, AllOriginsLie) {
  Auto rig(Auto::defaults(), 2);
  const Pack pack = rig.put(make_pack(texts(1, 50'000)));
  for (auto& origin : rig.origins) {
    origin->script = [&](const ReadRequest& request) { return lie(pack, request); };
  }
  EXPECT_EQ(rig.get(pack.frames[0])->code(), Code::corrupt);
  rig.await_rest();
  EXPECT_EQ(rig.stats().requests, 6u);  // a bounded number from each
  EXPECT_EQ(rig.stats().corrupt, 6u);
  EXPECT_EQ(rig.stats().failures, 1u);
  // Remembered for a moment.
  EXPECT_EQ(rig.get(pack.frames[0])->code(), Code::corrupt);
  EXPECT_EQ(rig.want(pack.frames)->code(), Code::corrupt);
  EXPECT_EQ(rig.stats().requests, 6u);
}

TEST(FrameFault, ALieOnTheWayIsHealedByAskingAgain) {
  Auto rig;
  const Pack pack = rig.put(make_pack(texts(1, 50'000)));
  int lies = 2;
  rig.origin().script = [&](const ReadRequest& request) {
    return lies-- > 0 ? lie(pack, request) : Behaviour{};
  };
  EXPECT_EQ(rig.get(pack.frames[0])->bytes(), pack.raw[0]);
  EXPECT_EQ(rig.stats().corrupt, 2u);
}

TEST(FrameFault, APackThatOneOriginLacks) {
  Auto rig(Auto::defaults(), 2);
  const Pack pack = make_pack(texts(3, 5'000));
  rig.origin(1).put(pack.path, pack.bytes);
  EXPECT_EQ(rig.want(pack.frames)->code(), std::nullopt);
  EXPECT_EQ(rig.stats().missing_packs, 1u);
  EXPECT_EQ(rig.origin(0).reads().size(), 1u);
}

TEST(FrameFault, APackThatNobodyHas) {
  Auto rig(Auto::defaults(), 3);
  const Pack pack = make_pack(texts(1, 5'000));
  EXPECT_EQ(rig.get(pack.frames[0])->code(), Code::io_error);
  EXPECT_EQ(rig.stats().missing_packs, 3u);
  EXPECT_EQ(rig.stats().requests, 3u);  // for good: nothing is tried again
}

TEST(FrameFault, RefusedCredentials) {
  Auto rig;
  const Pack pack = rig.put(make_pack(texts(1, 5'000)));
  rig.origin().script = [](const ReadRequest&) {
    Behaviour b;
    b.refuse = Error{Code::access_denied, "403"};
    return b;
  };
  EXPECT_EQ(rig.get(pack.frames[0])->code(), Code::access_denied);
  EXPECT_EQ(rig.stats().requests, 1u);
}

TEST(FrameFault, OriginsThatAreDownAndComeBack) {
  Auto rig(Auto::defaults(), 2);
  const Pack pack = rig.put(make_pack(texts(1, 5'000)));
  std::atomic<int> refusals{5};
  for (auto& origin : rig.origins) {
    origin->script = [&](const ReadRequest&) {
      Behaviour b;
      if (refusals-- > 0) b.refuse = Error{Code::unreachable, "down"};
      return b;
    };
  }
  EXPECT_EQ(rig.get(pack.frames[0])->bytes(), pack.raw[0]);
  EXPECT_EQ(rig.stats().requests, 6u);
  EXPECT_EQ(rig.stats().retries, 2u);  // rounds; within one the other is asked at once
  EXPECT_EQ(rig.stats().failovers, 3u);
}

TEST(FrameFault, TheDeadlineEndsIt) {
  FrameStoreOptions options = Auto::defaults();
  options.io_timeout = milliseconds(1'500);
  Auto rig(options);
  const Pack pack = rig.put(make_pack(texts(1, 5'000)));
  rig.origin().script = [](const ReadRequest&) {
    Behaviour b;
    b.refuse = Error{Code::unreachable, "down"};
    return b;
  };
  // On a machine that is busy enough the watch is first.
  const Code code = rig.get(pack.frames[0])->code();
  EXPECT_TRUE(code == Code::unreachable || code == Code::timed_out) << to_string(code);
}

TEST(FrameFault, ASilentOriginLeavesTimeForTheOthers) {
  FrameStoreOptions options = Auto::defaults();
  options.io_timeout = milliseconds(3'000);
  Auto rig(options, 3);
  const Pack pack = rig.put(make_pack(texts(1, 5'000)));
  for (const std::size_t silent : {0U, 1U}) {
    rig.origin(silent).script = [](const ReadRequest&) { return Behaviour{.black_hole = true}; };
  }
  EXPECT_EQ(rig.get(pack.frames[0])->bytes(), pack.raw[0]);
  rig.await_rest();
}

TEST(FrameFault, SilenceOfAllTimesOut) {
  FrameStoreOptions options = Auto::defaults();
  options.io_timeout = milliseconds(200);
  Auto rig(options, 2);
  const Pack pack = rig.put(make_pack(texts(2, 5'000)));
  for (auto& origin : rig.origins) {
    origin->script = [](const ReadRequest&) { return Behaviour{.black_hole = true}; };
  }
  auto want = rig.want({pack.frames[1]});
  EXPECT_EQ(rig.get(pack.frames[0])->code(), Code::timed_out);
  EXPECT_EQ(want->code(), Code::timed_out);
  rig.await_rest();
}

TEST(FrameFault, GoesOnWithinAFrame) {
  Auto rig(Auto::defaults(), 2);
  const Pack pack = rig.put(make_pack({pattern(100'000, 1), pattern(500'000, 2)}));
  for (auto& origin : rig.origins) {
    origin->script = [](const ReadRequest&) {
      Behaviour b;
      b.cut_after = 70'000;
      return b;
    };
  }
  EXPECT_EQ(rig.want(pack.frames)->code(), std::nullopt);
  rig.await_rest();
  EXPECT_EQ(rig.stats().bytes_fetched, pack.stored());  // none twice
  EXPECT_EQ(rig.stats().requests, 9u);
  EXPECT_EQ(rig.stats().corrupt, 0u);
}

TEST(FrameFault, BeginningsOfALiarDoNotBlameTheOther) {
  Auto rig(Auto::defaults(), 2);
  const Pack pack = rig.put(make_pack({pattern(100'000, 1)}));
  rig.origin(0).script = [&](const ReadRequest& request) {
    Behaviour b = lie(pack, request);
    b.flip = pack.frames[0].offset + 5;
    b.cut_after = 50'000;
    return b;
  };
  EXPECT_EQ(rig.get(pack.frames[0])->bytes(), pack.raw[0]);
  EXPECT_EQ(rig.stats().corrupt, 1u);
  EXPECT_EQ(rig.stats().failures, 0u);
}

TEST(FrameFault, TruncatedPacks) {
  Auto rig(Auto::defaults(), 2);
  const Pack pack = rig.put(make_pack(texts(6, 50'000)));
  rig.origin(0).script = [&](const ReadRequest&) {
    Behaviour b;
    b.object_size = pack.frames[3].offset + 10;
    return b;
  };
  EXPECT_EQ(rig.want(pack.frames)->code(), std::nullopt);
  EXPECT_EQ(rig.stats().corrupt, 1u);
  ASSERT_EQ(rig.origin(1).reads().size(), 1u);
  EXPECT_EQ(rig.origin(1).reads()[0].offset, pack.frames[3].offset);
  rig.origin(1).script = rig.origin(0).script;
  rig.cache->fail_reads(true);
  rig.restart();
  EXPECT_EQ(rig.get(pack.frames[5], FrameUse::part)->code(), Code::corrupt);
}

TEST(FrameFault, ServersWithoutRanges) {
  Auto rig;
  const Pack pack = rig.put(make_pack(texts(6, 50'000)));
  rig.origin().script = [](const ReadRequest&) {
    Behaviour b;
    b.whole = true;
    return b;
  };
  EXPECT_EQ(rig.get(pack.frames[3])->bytes(), pack.raw[3]);
  EXPECT_EQ(rig.want({pack.frames[1], pack.frames[2]})->code(), std::nullopt);
  rig.await_rest();
  EXPECT_EQ(rig.stats().corrupt, 0u);
}

TEST(FrameFault, AFullDiskFailsNoGet) {
  Auto rig;
  const Pack pack = rig.put(make_pack(texts(10, 50'000)));
  rig.cache->fail_stores(true);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(rig.get(pack.frames[i])->bytes(), pack.raw[i]);
  EXPECT_EQ(rig.want(pack.frames)->code(), Code::no_space);
  rig.await_rest();
  EXPECT_GE(rig.stats().unstored, 6u);
  EXPECT_EQ(rig.get(pack.frames[0])->bytes(), pack.raw[0]);  // from memory
  rig.cache->fail_stores(false);
  EXPECT_EQ(rig.want(pack.frames)->code(), std::nullopt);
}

TEST(FrameFault, AStuckDiskIsPassedBy) {
  // Frames of 4 MiB, of which memory has room for few.
  FrameStoreOptions options = Auto::defaults();
  options.data_memory = 0;
  Auto rig(options, 1, 16 * kMiB);
  std::vector<std::string> raw;
  for (std::uint64_t i = 0; i < 12; ++i) raw.push_back(pattern(4 * kMiB, i));
  const Pack pack = rig.put(make_pack(raw));
  rig.cache->hold_stores(true);
  for (std::size_t i = 0; i < raw.size(); ++i) {
    EXPECT_TRUE(rig.get(pack.frames[i])->bytes() == raw[i]);
  }
  EXPECT_LE(rig.stats().peak_bytes, 16 * kMiB);
  EXPECT_GT(rig.stats().unstored, 0u);
  rig.cache->hold_stores(false);
  rig.await_rest();
}

// Slow is not dead, but where another may be quicker nobody waits for it.
TEST(FrameFault, ALateRequestIsTakenToAnotherOrigin) {
  Manual rig(Manual::defaults(), 2);
  const Pack pack = rig.put(make_pack(texts(3, 50'000)));
  const auto usual = rig.get(pack.frames[0]);
  rig.origins[0]->next()->serve();
  EXPECT_EQ(usual->bytes(), pack.raw[0]);

  const auto answer = rig.get(pack.frames[1]);
  const auto slow = rig.origins[0]->next();
  (void)slow->start();
  for (int i = 0; i < 600 && rig.origins[1]->none(); ++i) {
    if (!slow->stopped()) (void)slow->send(1);  // never silent
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  rig.origins[1]->next()->serve();
  EXPECT_EQ(answer->bytes(), pack.raw[1]);
  EXPECT_TRUE(slow->stopped());
  EXPECT_EQ(rig.stats().failovers, 1U);
  slow->done(Error{Code::cancelled, "cancelled"});

  const auto next = rig.get(pack.frames[2]);
  rig.origins[1]->next()->serve();  // the slow one is left alone for a while
  EXPECT_EQ(next->bytes(), pack.raw[2]);
}

TEST(FrameFault, WhereThereIsNoOtherOriginLateIsJustLate) {
  Manual rig;
  const Pack pack = rig.put(make_pack(texts(2, 50'000)));
  const auto usual = rig.get(pack.frames[0]);
  rig.origin().next()->serve();
  EXPECT_EQ(usual->bytes(), pack.raw[0]);
  const auto answer = rig.get(pack.frames[1]);
  const auto slow = rig.origin().next();
  (void)slow->start();
  for (int i = 0; i < 100; ++i) {
    (void)slow->send(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_FALSE(slow->stopped());
  (void)slow->send(pack.frames[1].stored - 100);
  slow->done();
  EXPECT_EQ(answer->bytes(), pack.raw[1]);
}

TEST(FrameFault, WhatAReaderJoinsIsHurried) {
  Manual rig;
  const Pack pack = rig.put(make_pack(texts(1, 50'000)));
  const auto hydrate = rig.want(pack.frames, FrameUse::bundle, Manual::at(Priority::hydrate));
  const auto read = rig.origin().next();
  EXPECT_EQ(read->context.priority, Priority::hydrate);
  EXPECT_EQ(read->urgency(), Priority::hydrate);
  const auto reader = rig.get(pack.frames[0]);
  eventually([&] { return read->urgency() == Priority::reader; }, "the hurry");
  read->serve();
  EXPECT_EQ(reader->bytes(), pack.raw[0]);
  EXPECT_EQ(hydrate->code(), std::nullopt);
}

TEST(FrameFault, CancellingInTheQueueAndOnTheWay) {
  FrameStoreOptions options = Manual::defaults();
  options.max_requests = 1;
  Manual rig(options);
  const Pack one = rig.put(make_pack(texts(3, 50'000, 1)));
  const Pack other = rig.put(make_pack(texts(1, 50'000, 2)));
  std::stop_source first, second, third;
  RequestContext ctx;
  ctx.stop = first.get_token();
  auto moving = rig.get(one.frames[0], FrameUse::bundle, ctx);
  auto read = rig.origin().next();
  ctx.stop = second.get_token();
  auto queued = rig.get(other.frames[0], FrameUse::bundle, ctx);
  ctx.stop = third.get_token();
  auto want = rig.want({one.frames[0], one.frames[2]}, FrameUse::bundle, ctx);
  second.request_stop();
  EXPECT_EQ(queued->code(), Code::cancelled);
  first.request_stop();
  EXPECT_EQ(moving->code(), Code::cancelled);
  EXPECT_FALSE(read->stopped());  // somebody wants it still
  third.request_stop();
  EXPECT_EQ(want->code(), Code::cancelled);
  eventually([&] { return read->stopped(); }, "the request taken back");
  rig.await_rest();
  EXPECT_TRUE(rig.origin().none());
  EXPECT_EQ(rig.stats().cancelled, 2u);
  auto again = rig.get(one.frames[0]);
  rig.origin().next()->serve();
  EXPECT_EQ(again->bytes(), one.raw[0]);
}

TEST(FrameFault, TheRestOfARequestThatNobodyWantsIsTakenBack) {
  Manual rig;
  const Pack pack = rig.put(make_pack(texts(3, 50'000)));
  std::stop_source stop;
  RequestContext ctx;
  ctx.stop = stop.get_token();
  auto want = rig.want(pack.frames, FrameUse::bundle, ctx);
  auto first = rig.get(pack.frames[0]);
  auto read = rig.origin().next();
  read->start();
  stop.request_stop();
  EXPECT_FALSE(read->stopped());
  read->send(pack.frames[0].stored);
  EXPECT_EQ(first->bytes(), pack.raw[0]);
  eventually([&] { return read->stopped(); }, "the rest taken back");
  rig.await_rest();
}

TEST(FrameFault, AlreadyStopped) {
  Manual rig;
  const Pack pack = rig.put(make_pack(texts(1, 5'000)));
  std::stop_source stop;
  stop.request_stop();
  RequestContext ctx;
  ctx.stop = stop.get_token();
  EXPECT_EQ(rig.get(pack.frames[0], FrameUse::bundle, ctx)->code(), Code::cancelled);
  EXPECT_EQ(rig.want(pack.frames, FrameUse::bundle, ctx)->code(), Code::cancelled);
  EXPECT_TRUE(rig.origin().none());
}

TEST(FrameFault, StopAnswersEverybody) {
  FrameStoreOptions options = Manual::defaults();
  options.max_requests = 2;
  Manual rig(options);
  std::vector<std::unique_ptr<FrameAnswer>> answers;
  std::vector<std::unique_ptr<WantAnswer>> wants;
  std::vector<Pack> packs;
  for (std::uint64_t i = 0; i < 6; ++i) {
    packs.push_back(rig.put(make_pack(texts(4, 20'000, i))));
    wants.push_back(rig.want(packs.back().frames));
    answers.push_back(rig.get(packs.back().frames[3]));
  }
  auto read = rig.origin().next();
  read->start();
  read->send(packs[0].frames[0].stored + 100);
  rig.store->stop();
  for (auto& answer : answers) EXPECT_EQ(answer->code(), Code::cancelled);
  for (auto& want : wants) EXPECT_EQ(want->code(), Code::cancelled);
  rig.expect_at_rest();
  EXPECT_EQ(rig.get(packs[5].frames[0])->code(), Code::cancelled);
  EXPECT_EQ(rig.want(packs[5].frames)->code(), Code::cancelled);
  rig.store->stop();
}

}  // namespace
}  // namespace lazyvol::fetch::testing
