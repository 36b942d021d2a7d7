#include "catalog/splitter.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <string>
#include <vector>

namespace lazyvol::catalog {
namespace {

std::vector<std::size_t> cut(std::size_t keys, std::size_t weight, unsigned log2,
                             std::uint64_t first = 0) {
  Splitter splitter(Tree::names, 0, Chunking{log2, log2});
  std::vector<std::size_t> sizes;
  std::size_t size = 0;
  for (std::uint64_t i = first; i < first + keys; ++i) {
    size += weight;
    if (splitter.ends_with(std::to_string(i), weight)) {
      sizes.push_back(size);
      size = 0;
    }
  }
  return sizes;
}

TEST(Splitter, PagesAreOfOneSizeMoreOrLess) {
  const auto sizes = cut(1'000'000, 40, 15);
  double sum = 0;
  for (const std::size_t size : sizes) sum += static_cast<double>(size);
  const double mean = sum / static_cast<double>(sizes.size());
  EXPECT_NEAR(mean / 32'768, 0.906, 0.03);  // the mean of the distribution: Gamma(1 + 1/4)
  const auto below = [&](std::size_t limit) {
    return static_cast<double>(std::count_if(sizes.begin(), sizes.end(),
                                             [&](std::size_t size) { return size < limit; })) /
           static_cast<double>(sizes.size());
  };
  EXPECT_EQ(below(8'192), 0);
  EXPECT_LT(below(12'288), 0.03);
  EXPECT_GT(below(49'152), 0.98);
  EXPECT_LE(*std::max_element(sizes.begin(), sizes.end()), 65'536 + 40);
}

TEST(Splitter, CutsAreFoundAgainFromAnyBoundary) {
  // Two streams that differ in the beginning only cut at the same keys soon after.
  const auto one = cut(20'000, 40, 12), other = cut(20'000 - 137, 40, 12, 137);
  std::size_t same = 0;
  while (same < std::min(one.size(), other.size()) &&
         one[one.size() - 1 - same] == other[other.size() - 1 - same]) {
    ++same;
  }
  EXPECT_GT(same, one.size() - 20);
}

TEST(Splitter, NoPageOfOneRowEndsByItsKey) {
  Splitter splitter(Tree::names, 0, Chunking{16, 16});
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_FALSE(splitter.ends_with(std::to_string(i), 65'535) && i % 2 == 0);
    splitter = Splitter(Tree::names, 0, Chunking{16, 16});
  }
}

TEST(Splitter, AHugeRowEndsItsPage) {
  Splitter splitter(Tree::names, 0, Chunking{10, 10});
  EXPECT_TRUE(splitter.ends_with("x", 2'048));
  EXPECT_TRUE(splitter.ends_with("y", 1'000'000));
}

TEST(Splitter, ARunOfUnluckyKeysMeetsTheLimit) {
  // Keys chosen so that no hash ever ends a page: what a hostile tree of names could be.
  std::vector<std::string> keys;
  for (int i = 0; keys.size() < 200; ++i) {
    std::string key = std::to_string(i);
    if (XXH3_64bits_withSeed(key.data(), key.size(), 0x100) > UINT64_MAX - UINT64_MAX / 64) {
      keys.push_back(std::move(key));
    }
  }
  Splitter splitter(Tree::names, 0, Chunking{10, 10});
  std::size_t size = 0;
  for (const std::string& key : keys) {
    size += 30;
    if (splitter.ends_with(key, 30)) {
      EXPECT_GT(size, 1'024);
      size = 0;
    }
    EXPECT_LE(size, 2'048);
  }
}

TEST(Splitter, LevelsAndTreesCutElsewhere) {
  const auto ends = [](Tree tree, unsigned level) {
    Splitter splitter(tree, level, Chunking{12, 12});
    std::vector<int> result;
    for (int i = 0; i < 2'000; ++i) {
      if (splitter.ends_with(std::to_string(i), 40)) result.push_back(i);
    }
    return result;
  };
  EXPECT_NE(ends(Tree::names, 0), ends(Tree::names, 1));
  EXPECT_NE(ends(Tree::names, 0), ends(Tree::ids, 0));
  EXPECT_EQ(ends(Tree::ids, 2), ends(Tree::ids, 2));
}

TEST(Chunking, HasLimits) {
  EXPECT_TRUE(check_chunking({10, 16}).ok());
  EXPECT_FALSE(check_chunking({9, 14}).ok());
  EXPECT_FALSE(check_chunking({15, 17}).ok());
}

}  // namespace
}  // namespace lazyvol::catalog
