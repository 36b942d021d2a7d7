#include "fuse/handle_table.h"

#include <gtest/gtest.h>

namespace lazyvol::fuse {
namespace {

TEST(HandleTable, FindsWhatWasAddedUntilRemoved) {
  HandleTable<int> table;
  const auto a = table.add(std::make_shared<int>(1));
  const auto b = table.add(std::make_shared<int>(2));
  EXPECT_NE(a, b);
  EXPECT_EQ(*table.find(a), 1);
  EXPECT_EQ(*table.remove(a), 1);
  EXPECT_EQ(table.find(a), nullptr);
  EXPECT_EQ(table.remove(a), nullptr);
  EXPECT_EQ(*table.find(b), 2);
}

TEST(HandleTable, NumbersAreNotUsedTwice) {
  HandleTable<int> table;
  const auto first = table.add(std::make_shared<int>(1));
  table.remove(first);
  EXPECT_NE(table.add(std::make_shared<int>(2)), first);
}

TEST(HandleTable, ClearDropsAll) {
  HandleTable<int> table;
  std::weak_ptr<int> watched;
  {
    auto object = std::make_shared<int>(1);
    watched = object;
    table.add(std::move(object));
  }
  EXPECT_FALSE(watched.expired());
  table.clear();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace lazyvol::fuse
