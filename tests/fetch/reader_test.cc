// Readahead from a reader's pattern.
#include <gtest/gtest.h>

#include "auto_source.h"
#include "manual_source.h"
#include "rig.h"

namespace lazyvol::fetch::testing {
namespace {

std::string read_all(ContentReader& reader, std::uint64_t size, std::size_t step) {
  std::string all;
  all.reserve(size);
  std::vector<std::byte> out(step);
  for (std::uint64_t at = 0; at < size; at += step) {
    Answer answer(out);
    reader.read(at, answer.out(), {}, answer.done());
    all += answer.bytes();
  }
  return all;
}

TEST(Reader, SequentialReadsAreFetchedAheadInLargeRequests) {
  Rig<AutoSource> rig;
  const std::string bytes = pattern(48 * kMiB + 77);
  auto content = rig.open("a", bytes);
  ContentReader reader(content, rig.fetcher->options());
  EXPECT_EQ(read_all(reader, bytes.size(), 128 * kKiB), bytes);
  rig.await_rest();
  const FetchStats stats = rig.stats();
  EXPECT_EQ(stats.bytes_fetched, bytes.size());  // each byte once
  EXPECT_GT(stats.readahead_bytes, bytes.size() * 9 / 10);
  EXPECT_LT(stats.requests, 30u);
}

TEST(Reader, RandomReadsCauseNoReadahead) {
  Rig<AutoSource> rig;
  const std::string bytes = pattern(24 * kMiB);
  auto content = rig.open("a", bytes);
  ContentReader reader(content, rig.fetcher->options());
  for (std::uint64_t i = 1; i <= 12; ++i) {
    const std::uint64_t at = i * 37 % 24 * kMiB + 4096;
    Answer answer(4096);
    reader.read(at, answer.out(), {}, answer.done());
    EXPECT_EQ(answer.bytes(), bytes.substr(at, 4096));
  }
  EXPECT_EQ(rig.stats().readahead_bytes, 0u);
  EXPECT_EQ(rig.stats().bytes_fetched, 12 * kBlock);
}

TEST(Reader, TheFirstReadOfASmallFileBringsAllOfItInOneRequest) {
  Rig<ManualSource> rig;
  const std::string bytes = pattern(3 * kBlock + 5);
  auto content = rig.open("a", bytes);
  ContentReader reader(content, rig.fetcher->options());
  Answer answer(4096);
  reader.read(0, answer.out(), {}, answer.done());
  auto request = rig.source->next();
  EXPECT_EQ(request->request.length, bytes.size());
  EXPECT_EQ(request->context.priority, Priority::reader);
  request->start();
  request->send(kBlock);
  EXPECT_EQ(answer.bytes(), bytes.substr(0, 4096));
  request->send(3 * kBlock);
  request->done();
  EXPECT_TRUE(rig.source->none());
  rig.cache->await_stored(4);
}

TEST(Reader, ReadaheadCanBeTurnedOff) {
  FetchOptions options = Rig<AutoSource>::defaults();
  options.readahead = false;
  Rig<AutoSource> rig(options);
  const std::string bytes = pattern(4 * kMiB);
  auto content = rig.open("a", bytes);
  ContentReader reader(content, rig.fetcher->options());
  EXPECT_EQ(read_all(reader, 2 * kMiB, 128 * kKiB), bytes.substr(0, 2 * kMiB));
  rig.await_rest();
  EXPECT_EQ(rig.stats().bytes_fetched, 2 * kMiB);
}

TEST(Reader, WithoutACacheReadaheadIsNotForNothing) {
  Rig<AutoSource> rig(Rig<AutoSource>::defaults(), 32 * kMiB);
  rig.cache->fail_stores(true);
  const std::string bytes = pattern(32 * kMiB);
  auto content = rig.open("a", bytes);
  {
    ContentReader reader(content, rig.fetcher->options());
    EXPECT_EQ(read_all(reader, bytes.size(), 64 * kKiB), bytes);
  }
  EXPECT_LE(rig.stats().bytes_fetched, bytes.size() * 5 / 4);
  EXPECT_GT(rig.stats().unstored_blocks, 0u);
  EXPECT_LE(rig.stats().peak_bytes, 32 * kMiB);
  content.reset();
  rig.await_rest();
}

TEST(Reader, MayBeDestroyedByItsOwnAnswer) {
  Rig<AutoSource> rig;
  const std::string bytes = pattern(2 * kMiB);
  auto content = rig.open("a", bytes);
  std::atomic<bool> done{false};
  std::vector<std::byte> out(4096);
  auto reader = std::make_unique<ContentReader>(content, rig.fetcher->options());
  ContentReader* raw = reader.get();
  raw->read(0, out, {}, [&](Result<std::size_t> result) {
    EXPECT_TRUE(result.ok());
    reader.reset();
    done = true;
  });
  eventually([&] { return done.load(); }, "the answer");
}

}  // namespace
}  // namespace lazyvol::fetch::testing
