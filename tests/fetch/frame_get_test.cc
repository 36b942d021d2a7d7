// Frames: from where they come, how many requests that takes, and what is checked of them.
#include <gtest/gtest.h>

#include <thread>

#include "auto_source.h"
#include "catalog/file_map.h"
#include "catalog/ids_page.h"
#include "frame_rig.h"
#include "manual_source.h"

namespace lazyvol::fetch::testing {
namespace {

using Auto = FrameRig<AutoSource>;
using Manual = FrameRig<ManualSource>;

TEST(FrameGet, FromOriginThenMemoryThenDisk) {
  Auto rig;
  const Pack pack = rig.put(make_pack(texts(3, 100'000)));
  EXPECT_EQ(rig.store->at_hand(pack.frames[1], FrameUse::bundle), nullptr);
  EXPECT_FALSE(rig.store->has(pack.frames[1], FrameUse::bundle));
  EXPECT_EQ(rig.get(pack.frames[1])->bytes(), pack.raw[1]);
  EXPECT_EQ(rig.get(pack.frames[1])->bytes(), pack.raw[1]);
  EXPECT_TRUE(rig.store->has(pack.frames[1], FrameUse::bundle));
  rig.await_rest();
  EXPECT_EQ(rig.stats().requests, 1u);
  EXPECT_EQ(rig.stats().bytes_fetched, pack.frames[1].stored);
  EXPECT_EQ(rig.stats().memory_hits, 1u);
  rig.restart();
  auto inline_answer = rig.get(pack.frames[1]);
  EXPECT_TRUE(inline_answer->answered());
  EXPECT_EQ(inline_answer->bytes(), pack.raw[1]);
  EXPECT_EQ(*rig.store->at_hand(pack.frames[1], FrameUse::bundle), pack.raw[1]);
  EXPECT_EQ(rig.stats().requests, 0u);
  EXPECT_EQ(rig.stats().disk_hits, 1u);
}

TEST(FrameGet, OfAnySize) {
  Auto rig;
  const Pack pack = rig.put(make_pack({"x", pattern(300 * kKiB), pattern(catalog::kMaxFrameRaw, 2),
                                       compressible(catalog::kMaxFrameRaw, 3)}));
  EXPECT_EQ(pack.frames[2].stored, pack.frames[2].raw);
  EXPECT_LT(pack.frames[3].stored, pack.frames[3].raw);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(rig.get(pack.frames[i])->bytes() == pack.raw[i]);
  rig.await_rest();
  rig.restart();
  for (std::size_t i = 0; i < 4; ++i) {
    const auto bytes = rig.store->at_hand(pack.frames[i], FrameUse::bundle);
    ASSERT_NE(bytes, nullptr);
    EXPECT_TRUE(*bytes == pack.raw[i]);
  }
}

TEST(FrameGet, PartsAreKeptInMemoryOnly) {
  Auto rig;
  const Pack pack = rig.put(make_pack(texts(1, 50'000)));
  rig.get(pack.frames[0], FrameUse::part)->bytes();
  rig.await_rest();
  EXPECT_EQ(rig.cache->stored(), 0u);
  EXPECT_NE(rig.store->at_hand(pack.frames[0], FrameUse::part), nullptr);
  // Wanted for the disk it need not be fetched again.
  EXPECT_EQ(rig.want(pack.frames, FrameUse::bundle)->code(), std::nullopt);
  EXPECT_EQ(rig.cache->stored(), 1u);
  rig.await_rest();
  EXPECT_EQ(rig.stats().requests, 1u);
}

TEST(FrameGet, SixtyFourReadersAskOnce) {
  Manual rig;
  const Pack pack = rig.put(make_pack(texts(1, 100'000)));
  std::vector<std::unique_ptr<FrameAnswer>> answers(64);
  std::vector<std::thread> readers;
  for (auto& answer : answers) {
    readers.emplace_back([&] { answer = rig.get(pack.frames[0]); });
  }
  for (auto& reader : readers) reader.join();
  rig.origin().next()->serve();
  for (auto& answer : answers) EXPECT_EQ(answer->bytes(), pack.raw[0]);
  rig.await_rest();
  EXPECT_EQ(rig.origin().reads(), 1u);
  EXPECT_EQ(rig.stats().frames, 1u);
}

TEST(FrameGet, EachIsHandedOverAsItsLastByteComes) {
  Manual rig;
  const Pack pack = rig.put(make_pack(texts(3, 100'000)));
  auto want = rig.want(pack.frames);
  auto first = rig.get(pack.frames[0]), second = rig.get(pack.frames[1]);
  auto read = rig.origin().next();
  EXPECT_EQ(read->request.offset, pack.frames[0].offset);
  EXPECT_EQ(read->request.length, pack.stored());
  read->start();
  read->send(pack.frames[0].stored - 1);
  EXPECT_FALSE(first->answered());
  read->send(1);
  EXPECT_EQ(first->bytes(), pack.raw[0]);
  read->send(pack.frames[1].stored);
  EXPECT_EQ(second->bytes(), pack.raw[1]);
  EXPECT_FALSE(want->answered());
  read->send(pack.frames[2].stored);
  read->done();
  EXPECT_EQ(want->code(), std::nullopt);
  EXPECT_TRUE(rig.origin().none());
}

TEST(FrameGet, NeighboursShareARequest) {
  FrameStoreOptions options = Auto::defaults();
  options.max_gap = 1'000;
  Auto rig(options);
  // Incompressible, so that lengths are known: a gap of 900 is crossed, one of 1,100 is not.
  const Pack pack = rig.put(make_pack({pattern(5'000, 1), pattern(900, 2), pattern(5'000, 3),
                                       pattern(1'100, 4), pattern(5'000, 5)}));
  EXPECT_EQ(rig.want({pack.frames[4], pack.frames[0], pack.frames[2]})->code(), std::nullopt);
  rig.await_rest();
  const auto reads = rig.origin().reads();
  ASSERT_EQ(reads.size(), 2u);
  EXPECT_EQ(rig.stats().frames, 3u);
  EXPECT_EQ(rig.stats().bytes_fetched, 5'000u + 5'000 + 900 + 5'000);
  for (const std::size_t i : {0U, 2U, 4U}) {
    EXPECT_EQ(*rig.store->at_hand(pack.frames[i], FrameUse::bundle), pack.raw[i]);
  }
}

TEST(FrameGet, RequestsHaveALimitAndAPack) {
  FrameStoreOptions options = Auto::defaults();
  options.max_request_bytes = 50'000;
  Auto rig(options);
  std::vector<std::string> raw;
  for (std::uint64_t i = 0; i < 12; ++i) raw.push_back(pattern(10'000, i));
  const Pack one = rig.put(make_pack(raw));
  const Pack other = rig.put(make_pack({pattern(10'000, 77)}));
  auto frames = one.frames;
  frames.push_back(other.frames[0]);
  EXPECT_EQ(rig.want(frames)->code(), std::nullopt);
  EXPECT_EQ(rig.stats().requests, 4u);  // 5 + 5 + 2, and 1
}

TEST(FrameGet, WhatWaitsBehindOthersIsJoined) {
  FrameStoreOptions options = Manual::defaults();
  options.max_requests = 1;
  Manual rig(options);
  const Pack pack = rig.put(make_pack(texts(5, 20'000)));
  auto first = rig.get(pack.frames[0]);
  auto read = rig.origin().next();
  std::vector<std::unique_ptr<FrameAnswer>> rest;
  for (const std::size_t i : {3U, 1U, 4U, 2U}) rest.push_back(rig.get(pack.frames[i]));
  read->serve();
  auto second = rig.origin().next();
  EXPECT_EQ(second->request.offset, pack.frames[1].offset);
  second->serve();
  for (auto& answer : rest) answer->bytes();
  EXPECT_EQ(rig.origin().reads(), 2u);
}

TEST(FrameGet, AReaderGoesFirst) {
  FrameStoreOptions options = Manual::defaults();
  options.max_requests = 1;
  Manual rig(options);
  std::vector<catalog::FrameRef> frames;  // of as many packs, so that none comes along
  for (std::uint64_t i = 0; i < 5; ++i) {
    frames.push_back(rig.put(make_pack(texts(1, 20'000, i))).frames[0]);
  }
  auto busy = rig.get(frames[0]);
  auto read = rig.origin().next();
  auto hydrate = rig.want({frames[1], frames[2]}, FrameUse::bundle, Manual::at(Priority::hydrate));
  auto ahead = rig.get(frames[3], FrameUse::bundle, Manual::at(Priority::readahead));
  auto reader = rig.get(frames[4]);
  auto late = rig.get(frames[2]);  // raises what was wanted for later
  read->serve();
  for (const std::size_t i : {2U, 4U, 3U, 1U}) {
    auto next = rig.origin().next();
    EXPECT_EQ(next->request.path, catalog::pack_path(frames[i].pack)) << i;
    next->serve();
  }
  EXPECT_EQ(hydrate->code(), std::nullopt);
}

TEST(FrameGet, TheSameStoredBytesOfAnotherLengthAreOtherBytes) {
  Auto rig;
  const Pack pack = rig.put(make_pack(texts(1, 50'000)));
  catalog::FrameRef as_they_are = pack.frames[0];
  as_they_are.raw = as_they_are.stored;
  EXPECT_EQ(rig.get(as_they_are)->bytes(), pack.bytes.substr(16, as_they_are.stored));
  rig.await_rest();
  EXPECT_EQ(rig.get(pack.frames[0])->bytes(), pack.raw[0]);
  catalog::FrameRef wrong = pack.frames[0];
  wrong.raw += 1;
  EXPECT_EQ(rig.get(wrong)->code(), Code::corrupt);
  rig.await_rest();
  rig.restart();
  EXPECT_EQ(*rig.store->at_hand(pack.frames[0], FrameUse::bundle), pack.raw[0]);
  EXPECT_EQ(rig.store->at_hand(as_they_are, FrameUse::bundle)->size(), as_they_are.stored);
  EXPECT_EQ(rig.store->at_hand(wrong, FrameUse::bundle), nullptr);
}

TEST(FrameGet, PagesAreValidatedOnceAndDataIsNoPage) {
  Auto rig;
  const std::string page =
      catalog::encode_ids_page(std::vector<catalog::IdRun>{{2, 5, {1, "a"}}, {7, 9, {1, "b"}}});
  const std::vector<catalog::Extent> holes{
      {.kind = catalog::Extent::Kind::hole, .length = 5, .frame = {}, .offset = 0}};
  const std::string map = *catalog::encode_file_map(0, holes);
  const Pack pack = rig.put(make_pack({page, map, "neither of both"}, catalog::PackKind::metadata));
  EXPECT_EQ(rig.get(pack.frames[0], FrameUse::page)->bytes(), page);
  EXPECT_EQ(rig.get(pack.frames[1], FrameUse::map)->bytes(), map);
  EXPECT_EQ(rig.stats().pages, 2u);
  EXPECT_EQ(rig.get(pack.frames[2], FrameUse::bundle)->bytes(), pack.raw[2]);
  rig.await_rest();
  const auto before = rig.stats().requests;
  for (const FrameUse use : {FrameUse::page, FrameUse::map}) {
    EXPECT_EQ(rig.get(pack.frames[2], use)->code(), Code::corrupt);
    EXPECT_EQ(rig.get(pack.frames[2], use)->code(), Code::corrupt);  // remembered for a moment
  }
  EXPECT_EQ(rig.stats().requests, before + 2);  // at once: every origin has the same
  EXPECT_EQ(rig.get(pack.frames[1], FrameUse::page)->code(), Code::corrupt);
}

TEST(FrameGet, ImpossibleReferences) {
  Auto rig;
  catalog::FrameRef frame = make_pack(texts(1, 500)).frames[0];
  frame.stored = frame.raw + 1;
  EXPECT_EQ(rig.get(frame)->code(), Code::corrupt);
  EXPECT_EQ(rig.want({frame})->code(), Code::corrupt);
  EXPECT_EQ(rig.store->at_hand(frame, FrameUse::page), nullptr);
  EXPECT_EQ(rig.store->evict(frame, FrameUse::page), 0u);
  EXPECT_FALSE(rig.store->has(frame, FrameUse::page));
}

TEST(FrameGet, FramesThatLieAcrossEachOther) {
  Auto rig;
  const Pack pack = rig.put(make_pack({pattern(5'000, 1), pattern(5'000, 2)}));
  catalog::FrameRef across = pack.frames[0];
  across.offset += 2'500;
  across.hash = catalog::sha256(pack.bytes.substr(across.offset, across.stored));
  EXPECT_EQ(rig.want({pack.frames[0], across, pack.frames[1]})->code(), std::nullopt);
  EXPECT_EQ(*rig.store->at_hand(across, FrameUse::bundle),
            pack.bytes.substr(across.offset, across.stored));
}

TEST(FrameGet, EvictedFramesAreFetchedAgain) {
  Auto rig;
  const Pack pack = rig.put(make_pack(texts(2, 5'000)));
  EXPECT_EQ(rig.want(pack.frames)->code(), std::nullopt);
  EXPECT_GT(rig.store->evict(pack.frames[0], FrameUse::bundle), 0u);
  EXPECT_EQ(rig.store->at_hand(pack.frames[0], FrameUse::bundle), nullptr);
  EXPECT_NE(rig.store->at_hand(pack.frames[1], FrameUse::bundle), nullptr);
  EXPECT_EQ(rig.get(pack.frames[0])->bytes(), pack.raw[0]);
}

TEST(FrameGet, MemoryStaysWithinItsLimits) {
  FrameStoreOptions options = Auto::defaults();
  options.data_memory = kMiB;
  Auto rig(options, 1, 16 * kMiB);
  std::vector<std::string> raw;
  for (std::uint64_t i = 0; i < 30; ++i) raw.push_back(compressible(kMiB, i));
  const Pack pack = rig.put(make_pack(raw));
  // Nobody waits for it: a disk that is slow today makes it slow, and loses nothing.
  EXPECT_EQ(rig.want(pack.frames, FrameUse::bundle, Auto::at(Priority::hydrate))->code(),
            std::nullopt);
  EXPECT_LE(rig.stats().peak_bytes, 16 * kMiB);
  EXPECT_EQ(rig.stats().unstored, 0u);
  EXPECT_EQ(rig.cache->stored(), 30u * model::BlockLayout{kMiB}.count());
}

TEST(FrameGet, AWantOfVeryManyIsDoneInStretches) {
  FrameStoreOptions options = Auto::defaults();
  options.max_request_bytes = 4'000;
  options.max_requests = 2;
  Auto rig(options);
  const Pack pack = rig.put(make_pack(texts(3'000, 300)));
  EXPECT_EQ(rig.want(pack.frames)->code(), std::nullopt);
  EXPECT_EQ(rig.stats().frames, 3'000u);
  EXPECT_EQ(rig.stats().bytes_fetched, pack.stored());
  auto again = rig.want(pack.frames);
  EXPECT_TRUE(again->answered());
  EXPECT_EQ(rig.want({})->code(), std::nullopt);
}

}  // namespace
}  // namespace lazyvol::fetch::testing
