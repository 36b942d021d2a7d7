// Contents of published files: short ones out of shared frames, long ones in blocks of their own.
#include <gtest/gtest.h>

#include "published_rig.h"

namespace lazyvol::fetch::testing {
namespace {

TEST(Published, InlineAndEmptyFilesAskNobody) {
  PublishedRig rig;
  auto tiny = rig.fetcher->open(inline_entry("hello\n"));
  EXPECT_EQ(rig.read(tiny, 0, 100)->bytes(), "hello\n");
  EXPECT_EQ(rig.read(tiny, 2, 2)->bytes(), "ll");
  EXPECT_EQ(rig.read(tiny, 6, 2)->bytes(), "");
  EXPECT_TRUE(tiny->has(0, 6));
  auto empty = rig.fetcher->open(inline_entry(""));
  EXPECT_EQ(rig.read(empty, 0, 100)->bytes(), "");
  EXPECT_EQ(rig.hydrate(inline_entry("")), std::nullopt);
  EXPECT_EQ(rig.hydrate(inline_entry("hello\n")), std::nullopt);
  EXPECT_EQ(rig.fetcher->evict(inline_entry("hello\n")), 0u);
  EXPECT_EQ(rig.fetcher->stats().requests, 0u);
}

TEST(Published, ShortFilesBringTheirNeighbours) {
  PublishedRig rig;
  TestVolume volume;
  for (std::uint64_t i = 0; i < 30; ++i) {
    volume.add("f" + std::to_string(i), compressible(5'000 + i, i), 1 << 20);
  }
  volume.build();
  rig.put(volume);
  for (std::size_t i = 0; i < 30; ++i) {
    auto content = rig.fetcher->open(volume.entries[i]);
    EXPECT_EQ(rig.read_all(content), volume.contents[i]);
    EXPECT_TRUE(content->has(0, 5'000));
  }
  rig.await_rest();
  EXPECT_EQ(rig.fetcher->stats().requests, volume.packs[0].frames.size());
  EXPECT_EQ(rig.fetcher->stats().bytes_fetched, volume.packs[0].stored());
  EXPECT_GT(rig.fetcher->stats().hit_bytes, 100'000u);
  rig.restart();
  for (std::size_t i = 0; i < 30; ++i) {
    EXPECT_EQ(rig.read_all(rig.fetcher->open(volume.entries[i])), volume.contents[i]);
  }
  EXPECT_EQ(rig.fetcher->stats().requests, 0u);
}

TEST(Published, TheSameContentIsOneObject) {
  PublishedRig rig;
  TestVolume volume;
  volume.add("short", pattern(5'000), 1'000);
  volume.add("long", pattern(kLongFile), 300'000);
  volume.build();
  for (catalog::Entry entry : volume.entries) {
    auto content = rig.fetcher->open(entry);
    entry.name = "another name";
    EXPECT_EQ(rig.fetcher->open(entry), content);
    EXPECT_EQ(content->ref().size, entry.size);
  }
}

TEST(Published, AShortFileOfManyPiecesIsOneRequest) {
  PublishedRig rig;
  TestVolume volume(10'000);
  volume.add("f", compressible(900'000, 5), 40'000);
  volume.build();
  ASSERT_GE(volume.packs[0].frames.size(), 20u);
  rig.put(volume);
  auto content = rig.fetcher->open(volume.entries[0]);
  EXPECT_EQ(rig.read(content, 0, 900'000)->bytes(), volume.contents[0]);
  rig.await_rest();
  EXPECT_EQ(rig.fetcher->stats().requests, 1u);
}

TEST(Published, ShortFilesWithHoles) {
  PublishedRig rig;
  std::string bytes = pattern(30'000) + std::string(200'000, '\0') + pattern(1'000, 2);
  TestVolume volume;
  volume.add("f", bytes, 10'000, true);
  volume.add("only a hole", std::string(50'000, '\0'), 10'000, true);
  volume.build();
  rig.put(volume);
  auto content = rig.fetcher->open(volume.entries[0]);
  EXPECT_FALSE(content->has(100'000, 100'001));  // the map is not known
  EXPECT_EQ(rig.read(content, 29'000, 150'000)->bytes(), bytes.substr(29'000, 150'000));
  EXPECT_TRUE(content->has(100'000, 100'001));
  EXPECT_EQ(rig.read_all(content), bytes);
  auto hole = rig.fetcher->open(volume.entries[1]);
  EXPECT_EQ(rig.hydrate(volume.entries[1]), std::nullopt);
  EXPECT_EQ(rig.read_all(hole), volume.contents[1]);
}

struct Shape {
  std::size_t size, chunk, bundle;
  bool compressed;
};
void PrintTo(const Shape& shape, std::ostream* out) {
  *out << shape.size << " by " << shape.chunk;
}

class LongFile : public ::testing::TestWithParam<Shape> {};

TEST_P(LongFile, ReadFromEndToEndFetchesEachFrameOnce) {
  const Shape shape = GetParam();
  // With less memory than the readahead window would like, so that requests wait for each other.
  PublishedRig rig(PublishedRig::defaults(), 1, 64 * kMiB);
  TestVolume volume(shape.bundle);
  volume.add("f", shape.compressed ? compressible(shape.size, 7) : pattern(shape.size, 7),
             shape.chunk);
  volume.build();
  rig.put(volume);
  std::uint64_t stored = 0;
  for (const Pack& pack : volume.packs) stored += pack.stored();
  auto content = rig.fetcher->open(volume.entries[0]);
  EXPECT_TRUE(rig.read_all(content) == volume.contents[0]);
  rig.await_rest();
  // All of the frames, and each of them once; what lies between is not counted twice either.
  EXPECT_EQ(rig.fetcher->stats().bytes_fetched, stored);
  EXPECT_EQ(rig.fetcher->stats().retries, 0u);
  EXPECT_EQ(rig.cache->stored() >= shape.size / kBlock, true);
  rig.restart();
  EXPECT_TRUE(rig.read_all(rig.fetcher->open(volume.entries[0])) == volume.contents[0]);
  EXPECT_EQ(rig.fetcher->stats().bytes_fetched, 0u);
}

INSTANTIATE_TEST_SUITE_P(Shapes, LongFile,
                         ::testing::Values(Shape{kLongFile, 64 * kKiB, 128 * kKiB, true},
                                           Shape{10 * kMiB + 1, 100'001, 128 * kKiB, true},
                                           Shape{40 * kMiB + 77, 1'000'003, 128 * kKiB, false},
                                           Shape{100 * kMiB + 5, 4 * kMiB - 1'111, 4 * kMiB - 1'111,
                                                 false},
                                           Shape{100 * kMiB + 5, 3 * kMiB + 333, 3 * kMiB, true},
                                           Shape{60 * kMiB, 7 * kMiB + 77, 7 * kMiB + 77, false}));

TEST(Published, LongFilesWithHolesAndMaps) {
  PublishedRig rig;
  std::string bytes = pattern(3 * kMiB) + std::string(5 * kMiB, '\0') + pattern(2 * kMiB, 2) +
                      std::string(kMiB, '\0');
  TestVolume volume;
  volume.add("f", bytes, 64 * kKiB, true);
  volume.build();
  rig.put(volume);
  auto content = rig.fetcher->open(volume.entries[0]);
  EXPECT_EQ(rig.read(content, 4 * kMiB, 100)->bytes(), std::string(100, '\0'));
  EXPECT_TRUE(rig.read_all(content) == bytes);
}

TEST(Published, HydrateThenEvict) {
  PublishedRig rig;
  TestVolume volume;
  volume.add("short", compressible(200'000, 1), 50'000);
  volume.add("long", compressible(5 * kMiB, 2), 200'000);
  volume.build();
  rig.put(volume);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(rig.hydrate(volume.entries[i]), std::nullopt);
    auto content = rig.fetcher->open(volume.entries[i]);
    EXPECT_TRUE(content->has(0, content->ref().size));
  }
  rig.await_rest();
  const std::uint64_t fetched = rig.fetcher->stats().bytes_fetched;
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(rig.read_all(rig.fetcher->open(volume.entries[i])) == volume.contents[i]);
  }
  EXPECT_EQ(rig.fetcher->stats().bytes_fetched, fetched);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_GT(rig.fetcher->evict(volume.entries[i]), 0u);
    auto content = rig.fetcher->open(volume.entries[i]);
    EXPECT_FALSE(content->has(0, content->ref().size));
    EXPECT_TRUE(rig.read_all(content) == volume.contents[i]);
  }
  EXPECT_GT(rig.fetcher->stats().bytes_fetched, fetched);
}

TEST(Published, ErrorsComeAtOnceAndAreNeverStale) {
  PublishedRig rig;
  TestVolume volume;
  volume.add("short", compressible(200'000, 1), 50'000);
  volume.add("long", compressible(5 * kMiB, 2), 200'000);
  volume.build();  // and nobody has the packs
  for (const auto& entry : volume.entries) {
    auto content = rig.fetcher->open(entry);
    EXPECT_EQ(rig.read(content, 0, 1'000)->code(), Code::io_error);
    EXPECT_EQ(rig.hydrate(entry), Code::io_error);
    EXPECT_FALSE(content->stale());
  }
  rig.await_rest();
  EXPECT_EQ(rig.fetcher->stats().retries, 0u);
}

TEST(Published, DamageGivesCorrupt) {
  PublishedRig rig;
  TestVolume volume;
  volume.add("short", compressible(200'000, 1), 50'000);
  volume.add("long", compressible(5 * kMiB, 2), 200'000);
  volume.build();
  for (Pack& pack : volume.packs) {
    for (const auto& frame : pack.frames) pack.bytes[frame.offset] ^= 1;
  }
  rig.put(volume);
  for (const auto& entry : volume.entries) {
    EXPECT_EQ(rig.read(rig.fetcher->open(entry), 0, 1'000)->code(), Code::corrupt);
  }
}

TEST(Published, EntriesThatAreNotWhatTheyClaim) {
  PublishedRig rig;
  TestVolume volume;
  volume.add("short", compressible(200'000, 1), 50'000);
  volume.add("map", compressible(5 * kMiB, 2), 100'000);
  volume.build();
  rig.put(volume);
  for (catalog::Entry entry : volume.entries) {
    auto content = rig.fetcher->open(entry);
    entry.size += 4 * kMiB;
    EXPECT_EQ(rig.read(rig.fetcher->open(entry), 0, 1'000)->code(), Code::corrupt);
    // The true one is not harmed.
    EXPECT_EQ(rig.read(content, 0, 1'000)->bytes().size(), 1'000u);
  }
}

TEST(Published, Cancelling) {
  PublishedRig rig;
  TestVolume volume;
  volume.add("short", compressible(200'000, 1), 50'000);
  volume.add("long", compressible(5 * kMiB, 2), 200'000);
  volume.add("map", compressible(5 * kMiB, 3), 100'000);
  volume.build();
  rig.put(volume);
  rig.origins[0]->script = [](const ReadRequest&) {
    AutoSource::Behaviour b;
    b.black_hole = true;
    return b;
  };
  for (const auto& entry : volume.entries) {
    auto content = rig.fetcher->open(entry);
    std::stop_source stop;
    RequestContext ctx;
    ctx.stop = stop.get_token();
    // Over several blocks: a request for one is not taken back.
    auto answer = rig.read(content, 0, 3 * kBlock, ctx);
    stop.request_stop();
    EXPECT_EQ(answer->code(), Code::cancelled);
  }
  rig.await_rest();
}

TEST(Published, StopUnderLoad) {
  PublishedRig rig;
  TestVolume volume;
  for (std::uint64_t i = 0; i < 20; ++i) {
    volume.add("s" + std::to_string(i), compressible(50'000, i), 50'000);
    volume.add("l" + std::to_string(i), compressible(3 * kMiB, i), 200'000);
  }
  volume.build();
  rig.put(volume);
  std::vector<std::unique_ptr<Answer>> answers;
  std::vector<std::unique_ptr<WantAnswer>> wants;
  std::vector<std::shared_ptr<Content>> contents;
  for (const auto& entry : volume.entries) {
    contents.push_back(rig.fetcher->open(entry));
    answers.push_back(rig.read(contents.back(), 10'000, 30'000));
    wants.push_back(std::make_unique<WantAnswer>());
    rig.fetcher->hydrate(entry, {}, wants.back()->done());
  }
  rig.fetcher->stop();
  for (auto& answer : answers) {
    EXPECT_TRUE(answer->answered());
    EXPECT_TRUE(answer->wait().ok() || answer->code() == Code::cancelled);
  }
  for (auto& want : wants) EXPECT_TRUE(want->answered());
  rig.expect_at_rest();
  rig.fetcher->stop();
}

TEST(Published, AFullDiskFailsNoRead) {
  PublishedRig rig;
  TestVolume volume;
  volume.add("short", compressible(200'000, 1), 50'000);
  volume.add("long", compressible(20 * kMiB, 2), 200'000);
  volume.build();
  rig.put(volume);
  rig.cache->fail_stores(true);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(rig.read_all(rig.fetcher->open(volume.entries[i])) == volume.contents[i]);
  }
  EXPECT_GT(rig.fetcher->stats().unstored_blocks, 0u);
  EXPECT_EQ(rig.fetcher->stats().failures, 0u);
}

TEST(Published, ADiskThatHangsHoldsNoReader) {
  PublishedRig rig(PublishedRig::defaults(), 1, 128 * kMiB);
  TestVolume volume;
  volume.add("short", compressible(200'000, 1), 50'000);
  volume.add("long", pattern(6 * kMiB, 2), 200'000);
  volume.build();
  rig.put(volume);
  rig.cache->hold_stores(true);
  auto content = rig.fetcher->open(volume.entries[1]);
  EXPECT_TRUE(rig.read(content, 0, 3 * kMiB)->bytes() == volume.contents[1].substr(0, 3 * kMiB));
  eventually([&] { return rig.cache->stores_waiting() == 2; }, "both workers hang");
  EXPECT_TRUE(rig.read_all(content) == volume.contents[1]);
  EXPECT_EQ(rig.read_all(rig.fetcher->open(volume.entries[0])), volume.contents[0]);
  rig.cache->hold_stores(false);
  rig.await_rest();
}

}  // namespace
}  // namespace lazyvol::fetch::testing
