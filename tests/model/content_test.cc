#include "model/content.h"

#include <gtest/gtest.h>

#include <set>

#include "lazyvol/entry.h"

namespace lazyvol::model {
namespace {

TEST(ContentKey, IsStable) {
  // On disk since 0.1: a change here orphans every cache.
  EXPECT_EQ(live_content_key("http://h/", "a/b", "\"v1\"").hex(),
            "567cb0428d5c6b2569ddd4a0b0af9c56");
}

TEST(ContentKey, DoesNotCollideByConcatenation) {
  std::set<ContentKey> keys;
  const std::string_view parts[][3] = {{"ab", "c", ""}, {"a", "bc", ""}, {"abc", "", ""},
                                       {"", "abc", ""}, {"", "", "abc"}, {"a", "b", "c"}};
  for (const auto& [source, path, validator] : parts) {
    EXPECT_TRUE(keys.insert(live_content_key(source, path, validator)).second);
  }
}

TEST(ContentKey, HexIsTwoDigitsPerByte) {
  ContentKey key;
  key.bytes[0] = 0x0f;
  key.bytes[15] = 0xa0;
  EXPECT_EQ(key.hex(), "0f0000000000000000000000000000a0");
}

TEST(BlockLayout, CutsTheLastBlockShort) {
  constexpr std::uint64_t b = kBlockSize;
  const struct {
    std::uint64_t size, count, last;
  } rows[] = {{0, 0, 0}, {1, 1, 1}, {b - 1, 1, b - 1}, {b, 1, b}, {b + 1, 2, 1}, {5 * b, 5, b}};
  for (const auto& row : rows) {
    const BlockLayout layout{row.size};
    EXPECT_EQ(layout.count(), row.count) << row.size;
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < layout.count(); ++i) {
      EXPECT_EQ(BlockLayout::block_of(BlockLayout::offset_of(i)), i);
      sum += layout.length_of(i);
    }
    EXPECT_EQ(sum, row.size);
    if (row.count > 0) {
      EXPECT_EQ(layout.length_of(row.count - 1), row.last) << row.size;
    }
  }
}

TEST(ValidName, Table) {
  for (const std::string_view name : {"a", "...", ".hidden", "a b", "\xff\xfe", "a\nb", "%2f"}) {
    EXPECT_TRUE(valid_name(name)) << name;
  }
  EXPECT_TRUE(valid_name(std::string(255, 'x')));
  using namespace std::string_view_literals;
  for (const std::string_view name : {""sv, "."sv, ".."sv, "a/b"sv, "/"sv, "a\0b"sv}) {
    EXPECT_FALSE(valid_name(name)) << name;
  }
  EXPECT_FALSE(valid_name(std::string(256, 'x')));
}

}  // namespace
}  // namespace lazyvol::model
