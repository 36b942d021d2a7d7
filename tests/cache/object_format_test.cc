// Rows come back as they were, and nothing else is taken for one.
#include "cache/object_format.h"

#include <gtest/gtest.h>

#include "cache/slab_format.h"

namespace lazyvol::cache {
namespace {

GroupRow some_group() {
  GroupRow row;
  row.content = model::live_content_key("a", "b", "c");
  row.last_use_ms = 1'700'000'000'123;
  row.is_protected = true;
  row.present = 0x8000'0000'0000'0101;
  row.sums[0] = 1;
  row.sums[8] = 0xffff'ffff'ffff'ffff;
  row.sums[63] = 42;
  return row;
}

TEST(ObjectFormat, GroupRowRoundTrip) {
  const std::string bytes = encode_group_row(some_group());
  EXPECT_EQ(bytes.size(), 1 + 1 + 16 + 8 + 8 + 3 * 8U);
  const auto back = decode_group_row(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->content, some_group().content);
  EXPECT_EQ(back->last_use_ms, some_group().last_use_ms);
  EXPECT_EQ(back->is_protected, true);
  EXPECT_EQ(back->present, some_group().present);
  EXPECT_EQ(back->sums, some_group().sums);
}

// Any cut, any extra byte, any other version: no row.
template <class Decode>
void refuses_others(const std::string& bytes, Decode decode) {
  EXPECT_TRUE(decode(bytes));
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) EXPECT_FALSE(decode(bytes.substr(0, cut)));
  EXPECT_FALSE(decode(bytes + '\0'));
  std::string other = bytes;
  other[0] = 2;
  EXPECT_FALSE(decode(other));
}

TEST(ObjectFormat, OtherBytesAreNoRows) {
  refuses_others(encode_group_row(some_group()), decode_group_row);
  refuses_others(encode_object_row({.id = 7, .size = 1ULL << 40}), decode_object_row);
  refuses_others(encode_meta_row({}), decode_meta_row);
  refuses_others(encode_slab_location({.slab = 3, .offset = 64, .length = 100, .sum = 9}),
                 decode_slab_location);
  refuses_others(encode_slab_row({.bytes = 1, .last_append_ms = 2, .sealed = true}),
                 decode_slab_row);
  EXPECT_FALSE(decode_object_row(encode_object_row({.id = 0, .size = 5})));
  EXPECT_FALSE(decode_slab_location(
      encode_slab_location({.slab = 1, .offset = 0, .length = model::kBlockSize + 1, .sum = 0})));
}

TEST(ObjectFormat, GroupKeysSort) {
  EXPECT_LT(group_key(1, 255), group_key(1, 256));
  EXPECT_LT(group_key(1, 0xffff'ffff), group_key(2, 0));
  EXPECT_TRUE(group_key(0x0102, 3).starts_with(group_prefix(0x0102)));
  const auto name = decode_group_key(group_key(1ULL << 63, 77));
  ASSERT_TRUE(name);
  EXPECT_EQ(name->object, 1ULL << 63);
  EXPECT_EQ(name->group, 77U);
  EXPECT_FALSE(decode_group_key("short"));
}

TEST(ObjectFormat, MetaRowCountsNeverBelowZero) {
  MetaRow row;
  row.object_bytes = 10;
  row.protected_bytes = 5;
  row.count(-20, 3);
  EXPECT_EQ(row.object_bytes, 0U);
  EXPECT_EQ(row.protected_bytes, 8U);
}

TEST(SlabFormat, ListKeysAreNoBlockKeys) {
  EXPECT_EQ(decode_slab_list_key(slab_list_key(9)), 9U);
  EXPECT_LT(slab_list_key(255), slab_list_key(256));
  EXPECT_FALSE(decode_slab_list_key(slab_key(model::live_content_key("a", "", ""), 0).view()));
  EXPECT_NE(slab_list_key(1).size(), sizeof(SlabKey));
}

}  // namespace
}  // namespace lazyvol::cache
