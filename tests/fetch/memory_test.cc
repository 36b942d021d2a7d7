// The memory budget, and disks that are slow or hang.
#include <gtest/gtest.h>

#include <thread>

#include "auto_source.h"
#include "fetch/buffer_pool.h"
#include "manual_source.h"
#include "rig.h"

namespace lazyvol::fetch::testing {
namespace {

TEST(BufferPool, CountsReservationsAndBuffers) {
  auto pool = std::make_shared<BufferPool>(3 * kBlock);
  EXPECT_TRUE(pool->reserve(2 * kBlock, pool->budget()));
  EXPECT_FALSE(pool->reserve(2 * kBlock, pool->budget()));
  auto buffer = pool->take(kBlock);
  EXPECT_EQ(buffer->bytes().size(), kBlock);
  EXPECT_EQ(pool->used(), 2 * kBlock);
  buffer.reset();
  EXPECT_EQ(pool->used(), kBlock);
  pool->release(kBlock);
  EXPECT_EQ(pool->used(), 0u);
  EXPECT_EQ(pool->peak(), 2 * kBlock);
  pool->reserve_anyway(9 * kBlock);
  EXPECT_EQ(pool->peak(), 9 * kBlock);
  pool->release(9 * kBlock);
}

/// Blocks that a slow disk did not get to in time live on while their file is open, within their
/// share of the memory: on a machine that is busy enough every disk is slow. All else goes.
void await_rest_of_what_passed_the_disk_by(const Rig<AutoSource>& rig, std::uint64_t budget) {
  eventually(
      [&] {
        const FetchStats s = rig.stats();
        return s.in_flight_requests == 0 && s.waiting_reads == 0 && s.in_flight_bytes <= budget / 4;
      },
      "the gauges at what is kept");
}

TEST(Memory, IsNeverExceededBySixtyFourReadersOfASlowDisk) {
  constexpr std::uint64_t kBudget = 4 * kMiB;
  Rig<AutoSource> rig(Rig<AutoSource>::defaults(), kBudget);
  const std::string bytes = pattern(16 * kMiB + 333);
  auto content = rig.open("a", bytes);
  std::atomic<bool> reading{true};
  std::thread disk([&] {  // the disk gets a moment now and then
    while (reading) {
      rig.cache->hold_stores(true);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      rig.cache->hold_stores(false);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  std::vector<std::thread> readers;
  std::atomic<int> wrong{0};
  for (std::uint64_t r = 0; r < 64; ++r) {
    readers.emplace_back([&, r] {
      ContentReader reader(content, rig.fetcher->options());
      std::vector<std::byte> out(700'000);
      for (std::uint64_t i = 0; i < 8; ++i) {
        const std::uint64_t at = (r * 8 + i) * 31'337 % (bytes.size() - out.size());
        Answer answer(out);
        reader.read(at, answer.out(), {}, answer.done());
        if (answer.bytes() != part_of(bytes, at, out.size())) ++wrong;
      }
    });
  }
  for (auto& reader : readers) reader.join();
  reading = false;
  disk.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(rig.stats().peak_bytes, kBudget);
  rig.cache->hold_stores(false);
  await_rest_of_what_passed_the_disk_by(rig, kBudget);
  content.reset();
  rig.await_rest();
}

TEST(Memory, AReaderTakesWhatThereIs) {
  Rig<ManualSource> rig(Rig<ManualSource>::defaults(), 4 * kBlock);
  const std::string bytes = pattern(8 * kBlock);
  auto content = rig.open("a", bytes);
  auto answer = rig.read(content, 0, bytes.size());  // twice the budget
  for (std::uint64_t sent = 0; sent < bytes.size();) {
    auto request = rig.source->next();
    EXPECT_EQ(request->request.offset, sent);
    EXPECT_LE(request->request.length, 4 * kBlock);
    sent += request->request.length;
    request->serve();
  }
  EXPECT_EQ(answer->bytes(), bytes);
  EXPECT_LE(rig.stats().peak_bytes, 4 * kBlock);
}

TEST(Memory, ReadaheadLeavesRoomForAReader) {
  Rig<ManualSource> rig(Rig<ManualSource>::defaults(), 8 * kBlock);
  rig.cache->hold_stores(true);
  const std::string bytes = pattern(64 * kBlock);
  auto content = rig.open("a", bytes);
  RequestContext ahead;
  ahead.priority = Priority::readahead;
  content->want(0, 32 * kBlock, ahead, nullptr);
  auto first = rig.source->next();
  first->serve();  // fills what readahead may have; the disk does not take it
  EXPECT_TRUE(rig.source->none());
  auto answer = rig.read(content, 40 * kBlock, 10);
  rig.source->next()->serve();
  EXPECT_EQ(answer->bytes(), bytes.substr(40 * kBlock, 10));
}

TEST(Memory, AHangingDiskIsPassedBy) {
  Rig<AutoSource> rig(Rig<AutoSource>::defaults(), 4 * kMiB);
  rig.cache->hold_stores(true);  // and never lets go while we read
  const std::string bytes = pattern(12 * kMiB);
  auto content = rig.open("a", bytes);
  for (std::uint64_t at = 0; at < bytes.size(); at += kMiB) {
    auto answer = rig.read(content, at, kMiB);
    EXPECT_EQ(answer->bytes(), bytes.substr(at, kMiB));
  }
  EXPECT_GT(rig.stats().unstored_blocks, 0u);
  EXPECT_LE(rig.stats().peak_bytes, 4 * kMiB);
  rig.cache->hold_stores(false);
  await_rest_of_what_passed_the_disk_by(rig, 4 * kMiB);
  content.reset();
  rig.await_rest();
}

}  // namespace
}  // namespace lazyvol::fetch::testing
