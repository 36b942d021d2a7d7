#include "fuse/recent.h"

#include <gtest/gtest.h>

namespace lazyvol::fuse {
namespace {

TEST(Recent, FindsWhatWasAddedLast) {
  Recent<int> recent;
  EXPECT_EQ(recent.find(1), nullptr);
  recent.add(1, std::make_shared<int>(10));
  recent.add(1, std::make_shared<int>(11));
  recent.add(2, std::make_shared<int>(20));
  EXPECT_EQ(*recent.find(1), 11);
  EXPECT_EQ(*recent.find(2), 20);
  recent.clear();
  EXPECT_EQ(recent.find(2), nullptr);
}

TEST(Recent, KeepsThoseThatAreUsed) {
  Recent<int> recent;
  const auto watched = std::make_shared<int>(0);
  recent.add(1, watched);
  for (NodeId node = 2; node < 3 * Recent<int>::kMost; ++node) {
    recent.add(node, std::make_shared<int>(1));
    ASSERT_NE(recent.find(1), nullptr);
  }
  EXPECT_EQ(recent.find(2), nullptr);
  for (NodeId node = 1; node <= Recent<int>::kMost; ++node) {
    recent.add(1'000'000 + node, std::make_shared<int>(1));
  }
  EXPECT_EQ(watched.use_count(), 1) << "nothing is kept beyond the bound";
}

}  // namespace
}  // namespace lazyvol::fuse
