#include "catalog/interior_page.h"

#include <gtest/gtest.h>

#include "catalog/key.h"
#include "hostile.h"
#include "samples.h"

namespace lazyvol::catalog {
namespace {

std::vector<Child> children(std::size_t count) {
  std::vector<Child> result;
  for (std::size_t i = 0; i < count; ++i) {
    result.push_back(
        {name_key(1 + i / 10, "name-" + std::string(1, static_cast<char>('a' + i % 10))),
         sample_frame(i)});
  }
  return result;
}

TEST(InteriorPage, ComesBack) {
  for (const std::size_t count : {1U, 2U, 16U, 17U, 250U}) {
    const auto made = children(count);
    const std::string page = encode_interior_page(Tree::names, 3, made);
    const auto read = InteriorPage::open(page);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->level(), 3);
    EXPECT_EQ(read->tree(), Tree::names);
    EXPECT_EQ(*read->children(), made);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(*read->child(i), made[i]);
      EXPECT_EQ(*read->find(made[i].last_key), i);
      EXPECT_EQ(*read->find(key_after(made[i].last_key)), i + 1);
    }
    EXPECT_EQ(*read->find(""), 0);
    EXPECT_EQ(read->child(count).error().code, Code::corrupt);
  }
}

TEST(InteriorPage, OfNoChildIsNone) {
  EXPECT_FALSE(InteriorPage::open(encode_interior_page(Tree::names, 1, {})).ok());
  EXPECT_FALSE(InteriorPage::open(encode_interior_page(Tree::names, 0, children(3))).ok());
  EXPECT_FALSE(InteriorPage::open(encode_interior_page(Tree::names, 16, children(3))).ok());
}

TEST(InteriorPage, RefusesKeysOutOfOrder) {
  auto made = children(20);
  std::swap(made[3], made[4]);
  const std::string page = encode_interior_page(Tree::names, 1, made);
  EXPECT_EQ(InteriorPage::open(page)->children().error().code, Code::corrupt);
}

TEST(InteriorPage, TakesAnyBytes) {
  with_damage(
      encode_interior_page(Tree::names, 1, children(18)), 20'000, [](std::string_view bytes) {
        const auto page = InteriorPage::open(bytes);
        if (!page.ok()) return;
        (void)page->children();
        for (const std::string& key : {name_key(1, "a"), name_key(2, "name-c"), id_key(9)}) {
          const auto index = page->find(key);
          if (!index.ok()) continue;
          EXPECT_LE(*index, page->rows());
          (void)page->child(*index);
        }
      });
}

}  // namespace
}  // namespace lazyvol::catalog
