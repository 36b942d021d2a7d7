#include "catalog/validate_page.h"

#include <gtest/gtest.h>

#include "catalog/file_map.h"
#include "catalog/ids_page.h"
#include "catalog/interior_page.h"
#include "catalog/leaf_page.h"
#include "hostile.h"
#include "samples.h"

namespace lazyvol::catalog {
namespace {

Code code_of(const Status& status) {
  return status.ok() ? Code::out_of_memory : status.error().code;
}

std::vector<Child> two(std::string first, std::string second) {
  return {{std::move(first), sample_frame(1)}, {std::move(second), sample_frame(2)}};
}

std::string ids_page() {
  return encode_ids_page(std::vector<IdRun>{{2, 5, {1, "a"}}, {7, 9, {1, "b"}}});
}

TEST(ValidatePage, TakesEachKind) {
  EXPECT_TRUE(validate_page(encode_leaf_page(sample_kinds())).ok());
  EXPECT_TRUE(validate_page(encode_leaf_page({})).ok());
  EXPECT_TRUE(validate_page(ids_page()).ok());
  EXPECT_TRUE(validate_page(encode_ids_page({})).ok());
  EXPECT_TRUE(
      validate_page(encode_interior_page(Tree::names, 1, two(name_key(1, "a"), name_key(2, "b"))))
          .ok());
  EXPECT_TRUE(validate_page(encode_interior_page(Tree::ids, 2, two(id_key(2), id_key(3)))).ok());
}

TEST(ValidatePage, RefusesWhatIsNoPage) {
  for (const std::string& bytes : {std::string(), std::string("\x01"), std::string(40, '\0'),
                                   std::string(40, '\x01'), std::string(kMaxPageBytes + 1, '\1')}) {
    EXPECT_EQ(code_of(validate_page(bytes)), Code::corrupt);
    EXPECT_EQ(code_of(validate_file_map(bytes)), Code::corrupt);
  }
  EXPECT_EQ(code_of(validate_page(ids_page() + "x")), Code::corrupt);
}

TEST(ValidatePage, RefusesKeysThatAreNone) {
  const auto interior = [](Tree tree, std::vector<Child> children) {
    return code_of(validate_page(encode_interior_page(tree, 1, children)));
  };
  EXPECT_EQ(interior(Tree::names, two(name_key(1, "a"), name_key(2, "b/c"))), Code::corrupt);
  EXPECT_EQ(interior(Tree::names, two(name_key(1, ""), name_key(2, "b"))), Code::corrupt);
  EXPECT_EQ(interior(Tree::names, two(name_key(2, "b"), name_key(1, "a"))), Code::corrupt);
  EXPECT_EQ(interior(Tree::ids, two(id_key(1), id_key(3))), Code::corrupt);
  EXPECT_EQ(interior(Tree::ids, two(id_key(2), id_key(3) + "x")), Code::corrupt);
  EXPECT_EQ(interior(Tree::ids, two(id_key(2), id_key(1ULL << 63))), Code::corrupt);
  auto children = two(id_key(2), id_key(3));
  children[0].frame.raw = kMaxPageBytes + 1;
  EXPECT_EQ(interior(Tree::ids, children), Code::corrupt);
}

TEST(ValidatePage, RefusesEntriesThatCannotBe) {
  auto entries = sample_kinds();
  entries[0].name = "..";
  EXPECT_EQ(code_of(validate_page(encode_leaf_page(entries))), Code::corrupt);
  entries = sample_kinds();
  std::swap(entries[0], entries[1]);
  EXPECT_EQ(code_of(validate_page(encode_leaf_page(entries))), Code::corrupt);
}

TEST(ValidatePage, TakesAMapForAMapOnly) {
  const std::vector<Extent> extents{
      {.kind = Extent::Kind::piece, .length = 100, .frame = sample_frame(1), .offset = 5},
      {.kind = Extent::Kind::hole, .length = 1'000, .frame = {}, .offset = 0}};
  const std::string map = *encode_file_map(0, extents);
  EXPECT_TRUE(validate_file_map(map).ok());
  EXPECT_FALSE(validate_page(map).ok());
  EXPECT_FALSE(validate_file_map(ids_page()).ok());
}

TEST(ValidatePage, WhatItTakesCanBeRead) {
  for (const std::string& page :
       {encode_leaf_page(sample_kinds()), ids_page(),
        encode_interior_page(Tree::names, 1, two(name_key(1, "a"), name_key(2, "b")))}) {
    with_damage(page, 5'000, [](std::string_view bytes) {
      if (!validate_page(bytes).ok()) return;
      const auto leaf = LeafPage::open(bytes);
      const auto ids = IdsPage::open(bytes);
      const auto interior = InteriorPage::open(bytes);
      ASSERT_EQ(leaf.ok() + ids.ok() + interior.ok(), 1);
      if (leaf.ok()) {
        EXPECT_TRUE(leaf->entries().ok());
      }
      if (ids.ok()) {
        EXPECT_TRUE(ids->runs().ok());
      }
      if (interior.ok()) {
        EXPECT_TRUE(interior->children().ok());
      }
    });
  }
}

}  // namespace
}  // namespace lazyvol::catalog
