#include "catalog/file_map.h"

#include <gtest/gtest.h>

#include "hostile.h"
#include "memory_pages.h"
#include "samples.h"

namespace lazyvol::catalog {
namespace {

std::vector<Extent> extents(std::size_t count) {
  std::vector<Extent> result;
  for (std::size_t i = 0; i < count; ++i) {
    Extent extent;
    if (i % 7 == 3) {
      extent.length = std::uint64_t{1} << (i % 40);
    } else {
      extent.kind = Extent::Kind::piece;
      extent.frame = sample_frame(i / 2);
      extent.offset = static_cast<std::uint32_t>(i % 2 * 60'000);
      extent.length = 1 + i * 997 % 60'000;
    }
    result.push_back(extent);
  }
  return result;
}

TEST(FileMap, FindsTheExtentOfEachByte) {
  const auto made = extents(100);
  const auto bytes = encode_file_map(0, made);
  ASSERT_TRUE(bytes.ok());
  const auto map = FileMap::open(*bytes);
  ASSERT_TRUE(map.ok());
  EXPECT_TRUE(map->validate().ok());
  std::uint64_t begin = 0;
  for (std::size_t i = 0; i < made.size(); ++i) {
    EXPECT_EQ(*map->extent(i), made[i]);
    for (const std::uint64_t position :
         {begin, begin + made[i].length / 2, begin + made[i].length - 1}) {
      const auto found = map->find(position);
      ASSERT_TRUE(found.ok());
      EXPECT_EQ(found->row, i);
      EXPECT_EQ(found->begin, begin);
      EXPECT_EQ(found->extent, made[i]);
    }
    begin += made[i].length;
  }
  EXPECT_EQ(map->size(), begin);
  EXPECT_EQ(map->find(begin).error().code, Code::invalid_argument);
}

TEST(FileMap, OfAPlainFileIsLittleMoreThanHashes) {
  std::vector<Extent> made;
  for (std::uint64_t i = 0; i < 800; ++i) {
    made.push_back({Extent::Kind::piece, 131'072, sample_frame(i), 0});
  }
  EXPECT_LT(encode_file_map(0, made)->size(), 800 * 40);
}

TEST(FileMap, RefusesWhatNoReaderWouldTake) {
  const Extent piece{Extent::Kind::piece, 10, sample_frame(1), 0};
  const Extent map{Extent::Kind::map, 10, sample_frame(1), 0};
  const auto refused = [](unsigned level, const std::vector<Extent>& list) {
    const auto made = encode_file_map(level, list);
    return !made.ok() && made.error().code == Code::invalid_argument;
  };
  EXPECT_TRUE(refused(0, {}));
  EXPECT_TRUE(refused(0, std::vector<Extent>(kMaxMapRows + 1, piece)));
  EXPECT_TRUE(refused(0, {map}));
  EXPECT_TRUE(refused(1, {piece}));
  EXPECT_TRUE(refused(kMaxMapLevel + 1, {map}));
  EXPECT_TRUE(refused(0, {Extent{Extent::Kind::hole, 0, {}, 0}}));
  EXPECT_TRUE(refused(0, {Extent{Extent::Kind::hole, UINT64_MAX, {}, 0}}));
  EXPECT_TRUE(refused(0, {Extent{Extent::Kind::hole, INT64_MAX, {}, 0}, piece}));
  EXPECT_TRUE(refused(0, {Extent{Extent::Kind::piece, 10, sample_frame(1), 131'070}}));
  EXPECT_FALSE(refused(1, {map}));
}

TEST(FileMap, OfAHugeFileIsSplit) {
  MemoryPages store;
  const auto made = extents(3 * kMaxMapRows + 5);
  std::uint64_t size = 0;
  for (const Extent& extent : made) size += extent.length;
  const auto root = write_file_maps(store, made);
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(store.sizes.size(), 5);
  const auto top_bytes = *store.read(*root);
  const auto top = FileMap::open(*top_bytes);
  EXPECT_EQ(top->level(), 1);
  EXPECT_EQ(top->rows(), 4);
  EXPECT_EQ(top->size(), size);
  std::uint64_t position = 0;
  for (const Extent& extent : made) {
    const auto part = top->find(position);
    const auto below_bytes = *store.read(part->extent.frame);
    const auto below = FileMap::open(*below_bytes);
    EXPECT_EQ(below->find(position - part->begin)->extent, extent);
    position += extent.length;
  }
  EXPECT_EQ(*write_file_maps(store, extents(10)), (*write_file_maps(store, extents(10))));
  EXPECT_FALSE(write_file_maps(store, {}).ok());
}

TEST(FileMap, TakesAnyBytes) {
  with_damage(*encode_file_map(0, extents(20)), 20'000, [](std::string_view bytes) {
    const auto map = FileMap::open(bytes);
    if (!map.ok()) return;
    const bool valid = map->validate().ok();
    for (const std::uint64_t position : {std::uint64_t{0}, map->size() / 2, map->size() - 1}) {
      const auto found = map->find(position);
      if (map->size() > 0 && position < map->size() && valid) {
        EXPECT_TRUE(found.ok());
      }
      if (found.ok()) {
        EXPECT_LT(position - found->begin, found->extent.length);
      }
    }
    for (std::size_t row = 0; row <= map->rows(); ++row) (void)map->extent(row);
  });
}

}  // namespace
}  // namespace lazyvol::catalog
