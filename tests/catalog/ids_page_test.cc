#include "catalog/ids_page.h"

#include <gtest/gtest.h>

#include "hostile.h"
#include "samples.h"

namespace lazyvol::catalog {
namespace {

TEST(IdRuns, AreMaximalSortedAndWithoutAliases) {
  std::vector<Entry> leaf;
  for (const NodeId id : {5, 6, 7, 100, 8, 3}) {
    leaf.push_back(sample_file(1, "n" + std::to_string(leaf.size()), id));
  }
  leaf.push_back(sample_file(9, "last", 9));
  leaf.back().alias = true;
  const Place place{9, "last"};
  EXPECT_EQ(id_runs(leaf), (std::vector<IdRun>{{3, 3, place}, {5, 8, place}, {100, 100, place}}));
  EXPECT_TRUE(id_runs({}).empty());
}

std::vector<IdRun> runs(std::size_t count) {
  std::vector<IdRun> result;
  NodeId next = 2;
  for (std::size_t i = 0; i < count; ++i) {
    const NodeId last = next + i * i % 700;
    result.push_back({next, last, {1 + i / 3, "name" + std::to_string(i)}});
    next = last + 1 + i % 3;
  }
  return result;
}

TEST(IdsPage, FindsTheRunOfEachId) {
  const auto made = runs(60);
  const std::string page = encode_ids_page(made);
  const auto read = IdsPage::open(page);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read->runs(), made);
  std::size_t at = 0;
  for (NodeId id = 1; id <= made.back().last + 2; ++id) {
    while (at < made.size() && made[at].last < id) ++at;
    const bool there = at < made.size() && made[at].first <= id;
    const auto found = read->find(id);
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(found->has_value(), there) << id;
    if (there) {
      EXPECT_EQ(**found, made[at]);
    }
  }
}

TEST(IdsPage, MayBeEmpty) {
  const std::string page = encode_ids_page({});
  EXPECT_EQ(*IdsPage::open(page)->find(2), std::nullopt);
}

TEST(IdsPage, RefusesRunsThatOverlap) {
  auto made = runs(5);
  made[2].first = made[1].last;
  const std::string page = encode_ids_page(made);
  EXPECT_EQ(IdsPage::open(page)->runs().error().code, Code::corrupt);
}

TEST(IdsPage, TakesAnyBytes) {
  with_damage(encode_ids_page(runs(20)), 20'000, [](std::string_view bytes) {
    const auto page = IdsPage::open(bytes);
    if (!page.ok()) return;
    const auto all = page->runs();
    for (const NodeId id : {0, 1, 2, 50, 4'000}) {
      const auto run = page->find(id);
      if (run.ok() && *run) {
        EXPECT_TRUE((*run)->first <= id && id <= (*run)->last);
      }
    }
    if (all.ok()) {
      EXPECT_TRUE(IdsPage::open(encode_ids_page(*all)).ok());
    }
  });
}

}  // namespace
}  // namespace lazyvol::catalog
