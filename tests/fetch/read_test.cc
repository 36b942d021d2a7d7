// Reads: hits inline, misses through one flight per block.
#include <gtest/gtest.h>

#include "manual_source.h"
#include "rig.h"

namespace lazyvol::fetch::testing {
namespace {

using ManualRig = Rig<ManualSource>;

TEST(Read, AMissAsksForItsBlockAndAnswersWithTheBytes) {
  ManualRig rig;
  const std::string bytes = pattern(3 * kBlock + 100);
  auto content = rig.open("a", bytes);
  auto answer = rig.read(content, kBlock + 10, 1000);
  auto request = rig.source->next();
  EXPECT_EQ(request->request.path, "a");
  EXPECT_EQ(request->request.validator, "v1");
  EXPECT_EQ(request->request.offset, kBlock);
  EXPECT_EQ(request->request.length, kBlock);
  EXPECT_EQ(request->context.priority, Priority::reader);
  EXPECT_FALSE(answer->answered());
  request->serve();
  EXPECT_EQ(answer->bytes(), bytes.substr(kBlock + 10, 1000));
}

TEST(Read, AHitIsAnsweredInlineWithoutARequest) {
  ManualRig rig;
  const std::string bytes = pattern(2 * kBlock);
  auto content = rig.open("a", bytes);
  auto first = rig.read(content, 0, bytes.size());
  rig.source->next()->serve();
  EXPECT_EQ(first->bytes(), bytes);
  rig.cache->await_stored(2);
  rig.await_rest();
  auto second = rig.read(content, kBlock - 5, 10);  // over the border of two blocks
  ASSERT_TRUE(second->answered());
  EXPECT_EQ(second->bytes(), bytes.substr(kBlock - 5, 10));
  EXPECT_EQ(rig.stats().requests, 1u);
  EXPECT_EQ(rig.stats().hit_bytes, 10u);
  EXPECT_EQ(rig.stats().bytes_read, bytes.size() + 10);
}

TEST(Read, EndsAtTheEndOfTheFile) {
  ManualRig rig;
  const std::string bytes = pattern(1000);
  auto content = rig.open("a", bytes);
  auto beyond = rig.read(content, 1000, 10);
  EXPECT_EQ(beyond->bytes(), "");
  EXPECT_EQ(rig.read(content, 500, 0)->bytes(), "");
  auto tail = rig.read(content, 990, 4096);
  rig.source->next()->serve();
  EXPECT_EQ(tail->bytes(), bytes.substr(990));
  EXPECT_EQ(rig.read(rig.open("empty", ""), 0, 10)->bytes(), "");
}

TEST(Read, OnlyTheMissingPartIsFetched) {
  ManualRig rig;
  const std::string bytes = pattern(5 * kBlock);
  auto content = rig.open("a", bytes);
  auto middle = rig.read(content, 2 * kBlock, kBlock);
  rig.source->next()->serve();
  middle->wait();
  rig.cache->await_stored(1);
  auto all = rig.read(content, 0, bytes.size());
  auto front = rig.source->next();
  auto back = rig.source->next();
  EXPECT_EQ(front->request.offset, 0u);
  EXPECT_EQ(front->request.length, 2 * kBlock);
  EXPECT_EQ(back->request.offset, 3 * kBlock);
  EXPECT_EQ(back->request.length, 2 * kBlock);
  back->serve();
  EXPECT_FALSE(all->answered());
  front->serve();
  EXPECT_EQ(all->bytes(), bytes);
  EXPECT_EQ(rig.stats().bytes_fetched, bytes.size());
}

TEST(Read, EightReadersOfOneColdContentFetchEachByteOnce) {
  ManualRig rig;
  const std::string bytes = pattern(4 * kBlock);
  auto content = rig.open("a", bytes);
  std::vector<std::unique_ptr<Answer>> answers;
  for (int i = 0; i < 8; ++i) answers.push_back(rig.read(content, 0, bytes.size()));
  rig.source->next()->serve();
  for (auto& answer : answers) EXPECT_EQ(answer->bytes(), bytes);
  EXPECT_EQ(rig.stats().bytes_fetched, bytes.size());
  EXPECT_EQ(rig.stats().requests, 1u);
}

TEST(Read, OverlappingRangesShareTheirBlocks) {
  ManualRig rig;
  const std::string bytes = pattern(6 * kBlock);
  auto content = rig.open("a", bytes);
  auto left = rig.read(content, 0, 4 * kBlock);
  auto right = rig.read(content, 2 * kBlock, 4 * kBlock);
  auto first = rig.source->next();
  auto second = rig.source->next();
  EXPECT_EQ(second->request.offset, 4 * kBlock);
  EXPECT_EQ(second->request.length, 2 * kBlock);
  second->serve();
  EXPECT_FALSE(right->answered());
  first->serve();
  EXPECT_EQ(left->bytes(), bytes.substr(0, 4 * kBlock));
  EXPECT_EQ(right->bytes(), bytes.substr(2 * kBlock, 4 * kBlock));
  EXPECT_EQ(rig.stats().bytes_fetched, bytes.size());
}

TEST(Read, IsAnsweredAsSoonAsItsBlocksArriveNotWhenTheRequestEnds) {
  ManualRig rig;
  const std::string bytes = pattern(8 * kBlock);
  auto content = rig.open("a", bytes);
  auto all = rig.read(content, 0, bytes.size());
  auto second = rig.read(content, kBlock + 7, 100);
  auto request = rig.source->next();
  request->start();
  request->send(kBlock + 5000);
  EXPECT_FALSE(second->answered());
  request->send(kBlock);
  EXPECT_TRUE(second->answered());
  EXPECT_EQ(second->bytes(), bytes.substr(kBlock + 7, 100));
  EXPECT_FALSE(all->answered());
  request->send(6 * kBlock);
  EXPECT_EQ(all->bytes(), bytes);
  EXPECT_FALSE(request->ended());
  request->done();
}

TEST(Read, WhatHasArrivedButIsNotStoredIsServedFromMemory) {
  ManualRig rig;
  rig.cache->hold_stores(true);
  const std::string bytes = pattern(kBlock);
  auto content = rig.open("a", bytes);
  auto first = rig.read(content, 0, 10);
  rig.source->next()->serve();
  first->wait();
  auto second = rig.read(content, 5000, 4096);
  EXPECT_TRUE(second->answered());
  EXPECT_EQ(second->bytes(), bytes.substr(5000, 4096));
  EXPECT_EQ(rig.stats().requests, 1u);
  EXPECT_EQ(rig.stats().hit_bytes, 0u);
  EXPECT_EQ(rig.stats().in_flight_bytes, kBlock);
}

TEST(Read, ABlockStoredBetweenTheTwoLooksIsReadFromTheCache) {
  ManualRig rig;
  const std::string bytes = pattern(kBlock);
  auto content = rig.open("a", bytes);
  auto cached = rig.cache->content(content->ref().key, bytes.size());
  // The first look misses; then the block is stored, before the look under the lock.
  bool slipped = false;
  rig.cache->after_miss = [&] {
    if (std::exchange(slipped, true)) return;
    ASSERT_TRUE(cached->store(0, std::as_bytes(std::span(bytes))).ok());
  };
  auto answer = rig.read(content, 100, 5000);
  EXPECT_TRUE(slipped);
  EXPECT_TRUE(answer->answered());
  EXPECT_EQ(answer->bytes(), bytes.substr(100, 5000));
  EXPECT_EQ(rig.source->reads(), 0u);
}

TEST(Read, ABlockThatTheCacheHasButCannotReadIsFetched) {
  ManualRig rig;
  const std::string bytes = pattern(kBlock);
  auto content = rig.open("a", bytes);
  auto cached = rig.cache->content(content->ref().key, bytes.size());
  ASSERT_TRUE(cached->store(0, std::as_bytes(std::span(bytes))).ok());
  rig.cache->fail_reads(true);
  auto answer = rig.read(content, 0, bytes.size());
  rig.source->next()->serve();
  EXPECT_EQ(answer->bytes(), bytes);
}

TEST(Read, TheSameKeyIsTheSameContentWhileAnyoneHoldsIt) {
  ManualRig rig;
  auto content = rig.open("a", pattern(10));
  EXPECT_EQ(content, rig.fetcher->open(content->ref()));
  EXPECT_NE(content, rig.open("b", pattern(10)));
}

}  // namespace
}  // namespace lazyvol::fetch::testing
