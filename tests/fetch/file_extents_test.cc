#include "fetch/file_extents.h"

#include <gtest/gtest.h>

#include <future>
#include <map>
#include <random>

#include "../catalog/hostile.h"
#include "auto_source.h"
#include "frame_rig.h"
#include "test_volume.h"

namespace lazyvol::fetch::testing {
namespace {

using Kind = FileExtent::Kind;

std::vector<FileExtent> walk(const TestVolume& volume, const catalog::Entry& file,
                             std::uint64_t begin, std::uint64_t end) {
  std::map<catalog::FrameRef, std::string> maps;
  for (const Pack& pack : volume.packs) {
    for (std::size_t i = 0; i < pack.frames.size(); ++i) maps[pack.frames[i]] = pack.raw[i];
  }
  ExtentWalk extents(file.content, file.size, begin, end);
  while (extents.needs() != nullptr) {
    const Status entered = extents.enter(maps.at(*extents.needs()));
    EXPECT_TRUE(entered.ok());
    if (!entered.ok()) return {};
  }
  EXPECT_TRUE(extents.status().ok());
  return extents.extents();
}

/// The bytes that the extents say, put together from the packs.
std::string bytes_of(const TestVolume& volume, const std::vector<FileExtent>& extents,
                     std::uint64_t begin) {
  std::map<catalog::FrameRef, const std::string*> frames;
  for (const Pack& pack : volume.packs) {
    for (std::size_t i = 0; i < pack.frames.size(); ++i) frames[pack.frames[i]] = &pack.raw[i];
  }
  std::string bytes;
  for (const FileExtent& extent : extents) {
    EXPECT_EQ(extent.begin, begin + bytes.size());
    bytes += extent.kind == Kind::piece
                 ? frames.at(extent.frame)->substr(extent.offset, extent.length)
                 : std::string(extent.length, '\0');
  }
  return bytes;
}

TEST(ExtentWalk, OfPieces) {
  TestVolume volume(500);
  volume.add("f", pattern(2'000), 300);
  volume.build();
  ASSERT_TRUE(std::holds_alternative<catalog::PieceContent>(volume.entries[0].content));
  for (std::uint64_t begin = 0; begin < 2'000; begin += 37) {
    for (const std::uint64_t end : {begin, begin + 1, begin + 333, std::uint64_t{9'999}}) {
      const auto extents = walk(volume, volume.entries[0], begin, end);
      EXPECT_EQ(bytes_of(volume, extents, begin), volume.contents[0].substr(begin, end - begin));
    }
  }
}

TEST(ExtentWalk, OfMapsOfMaps) {
  // Rows for two levels of maps, and holes of all sizes.
  std::mt19937_64 random(3);
  std::string bytes;
  for (int i = 0; i < 1'500; ++i) {
    bytes += pattern(1 + random() % 40, random());
    bytes += std::string(random() % 4 == 0 ? random() % 200 : 0, '\0');
  }
  TestVolume volume(2'000);
  volume.add_cut(
      "f", bytes, [&] { return 1 + random() % 17; }, true);
  volume.build();
  ASSERT_GE(volume.packs.size(), 3u);
  const catalog::Entry& file = volume.entries[0];
  EXPECT_EQ(bytes_of(volume, walk(volume, file, 0, file.size), 0), bytes);
  for (int i = 0; i < 500; ++i) {
    const std::uint64_t begin = random() % (bytes.size() + 5), length = random() % 3'000;
    const auto extents = walk(volume, file, begin, begin + length);
    const std::string expected = begin < bytes.size() ? bytes.substr(begin, length) : "";
    ASSERT_EQ(bytes_of(volume, extents, begin), expected) << begin << " " << length;
  }
}

TEST(ExtentWalk, InlineAndNothing) {
  const auto tiny = inline_entry("hello");
  ExtentWalk part(tiny.content, 5, 1, 3);
  EXPECT_EQ(part.needs(), nullptr);
  EXPECT_EQ(part.extents(),
            (std::vector<FileExtent>{{Kind::inlined, 1, 2, catalog::FrameRef{}, 1}}));
  ExtentWalk nothing(inline_entry("").content, 0, 0, 100);
  EXPECT_TRUE(nothing.status().ok());
  EXPECT_TRUE(nothing.extents().empty());
}

TEST(ExtentWalk, ContentsThatAreNotWhatTheyClaim) {
  EXPECT_EQ(ExtentWalk(inline_entry("hello").content, 6, 0, 9).status().error().code,
            Code::corrupt);
  EXPECT_EQ(ExtentWalk({}, 6, 0, 9).status().error().code, Code::corrupt);
  TestVolume volume(500);
  volume.add("pieces", pattern(2'000), 300);
  volume.add("map", pattern(20'000), 10);
  volume.build();
  EXPECT_FALSE(ExtentWalk(volume.entries[0].content, 2'001, 0, 9).status().ok());
  auto outside = std::get<catalog::PieceContent>(volume.entries[0].content);
  outside.pieces[1].offset = 450;
  EXPECT_FALSE(ExtentWalk(outside, 2'000, 0, 9).status().ok());

  const catalog::Content& map = volume.entries[1].content;
  const std::string& top = volume.packs.back().raw.back();
  ExtentWalk longer(map, 20'001, 0, 9);
  EXPECT_EQ(longer.enter(top).error().code, Code::corrupt);
  EXPECT_EQ(longer.needs(), nullptr);
  ExtentWalk again(map, 20'000, 0, 9);
  ASSERT_TRUE(again.enter(top).ok());
  ASSERT_NE(again.needs(), nullptr);
  EXPECT_FALSE(again.enter(top).ok());  // a map of the wrong level below
  ExtentWalk garbage(map, 20'000, 0, 9);
  EXPECT_FALSE(garbage.enter("no map").ok());
}

TEST(ExtentWalk, TooManyExtents) {
  TestVolume volume;
  volume.add("f", pattern(kMaxExtents + 1), 1);
  volume.build();
  std::map<catalog::FrameRef, std::string> maps;
  for (const Pack& pack : volume.packs) {
    for (std::size_t i = 0; i < pack.frames.size(); ++i) maps[pack.frames[i]] = pack.raw[i];
  }
  ExtentWalk all(volume.entries[0].content, kMaxExtents + 1, 0, kMaxExtents + 1);
  Status status;
  while (status.ok() && all.needs() != nullptr) status = all.enter(maps.at(*all.needs()));
  EXPECT_EQ(status.error().code, Code::corrupt);
}

TEST(ExtentWalk, TakesAnyMap) {
  TestVolume volume(500);
  volume.add("f", pattern(2'000) + std::string(3'000, '\0') + pattern(100, 2), 50, true);
  volume.build();
  const catalog::Entry& file = volume.entries[0];
  catalog::with_damage(volume.packs.back().raw.back(), 5'000, [&](std::string_view map) {
    ExtentWalk extents(file.content, file.size, 10, 4'000);
    if (!extents.enter(map).ok() || extents.needs() != nullptr) return;
    std::uint64_t at = 10;
    for (const FileExtent& extent : extents.extents()) {
      ASSERT_EQ(extent.begin, at);
      at += extent.length;
      if (extent.kind == Kind::piece) {
        ASSERT_LE(extent.offset + extent.length, extent.frame.raw);
      }
    }
    ASSERT_EQ(at, 4'000u);
  });
}

TEST(FindExtents, FetchesTheMapsOnTheWay) {
  FrameRig<AutoSource> rig;
  TestVolume volume(2'000);
  volume.add("f", pattern(100'000), 20);
  volume.build();
  for (const Pack& pack : volume.packs) rig.put(pack);
  const catalog::Entry& file = volume.entries[0];
  EXPECT_FALSE(extents_at_hand(*rig.store, file.content, file.size, 50'000, 50'100));
  std::promise<Result<std::vector<FileExtent>>> promise;
  find_extents(*rig.store, file.content, file.size, 50'000, 50'100, {},
               [&](Result<std::vector<FileExtent>> found) { promise.set_value(std::move(found)); });
  const auto found = promise.get_future().get();
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(rig.stats().pages, 2u);  // the map of maps, and the one that it names
  EXPECT_EQ(*extents_at_hand(*rig.store, file.content, file.size, 50'000, 50'100), *found);
  EXPECT_FALSE(extents_at_hand(*rig.store, file.content, file.size, 0, 50'100));
  EXPECT_EQ(frames_of(*found).size(), 1u);
}

}  // namespace
}  // namespace lazyvol::fetch::testing
