#include "volume/merge.h"

#include <gtest/gtest.h>

namespace lazyvol::volume {
namespace {

RemoteEntry file(std::string name, std::string validator, std::string token = "") {
  RemoteEntry entry;
  entry.name = std::move(name);
  entry.validator = std::move(validator);
  entry.token = std::move(token);
  if (!entry.validator.empty()) entry.size = entry.validator.size();
  return entry;
}

RemoteEntry directory(std::string name) {
  RemoteEntry entry;
  entry.name = std::move(name);
  entry.type = NodeType::directory;
  return entry;
}

RemoteEntry symlink(std::string name, std::string target) {
  RemoteEntry entry;
  entry.name = std::move(name);
  entry.type = NodeType::symlink;
  entry.symlink_target = std::move(target);
  return entry;
}

cache::StoredEntry stored(RemoteEntry remote, NodeId id, std::int64_t stat_wall_ns = 0) {
  return {std::move(remote), id, stat_wall_ns};
}

struct Case {
  const char* what;
  cache::StoredEntry old;
  RemoteEntry row;
  NodeId id;  // 0: another node
  std::int64_t stat_wall_ns;
  std::string validator;
};

TEST(MergeRow, DecidesIdsAndTrust) {
  const Case cases[] = {
      {"same validator", stored(file("f", "A"), 5), file("f", "A"), 5, 0, "A"},
      {"other validator", stored(file("f", "A"), 5), file("f", "B"), 0, 0, "B"},
      {"first validator", stored(file("f", ""), 5), file("f", "A"), 5, 0, "A"},
      {"never asked", stored(file("f", "", "t"), 5), file("f", "", "u"), 5, 0, ""},
      {"asked, same token", stored(file("f", "A", "t"), 5, 100), file("f", "", "t"), 5, 100, "A"},
      {"asked, other token", stored(file("f", "A", "t"), 5, 100), file("f", "", "u"), 5,
       kStatInDoubt, "A"},
      {"asked, no tokens", stored(file("f", "A"), 5, 100), file("f", ""), 5, 100, "A"},
      {"asked, token appears", stored(file("f", "A"), 5, 100), file("f", "", "t"), 5, kStatInDoubt,
       "A"},
      {"in doubt stays so", stored(file("f", "A", "t"), 5, kStatInDoubt), file("f", "", "t"), 5,
       kStatInDoubt, "A"},
      {"asked, listing knows as much", stored(file("f", "A"), 5, 100), file("f", "A"), 5, 0, "A"},
      {"asked, listing knows better", stored(file("f", "A"), 5, 100), file("f", "B"), 0, 0, "B"},
      {"file becomes directory", stored(file("f", "A"), 5), directory("f"), 0, 0, ""},
      {"directory becomes file", stored(directory("f"), 5), file("f", "A"), 0, 0, "A"},
      {"directory stays", stored(directory("f"), 5), directory("f"), 5, 0, ""},
      {"same target", stored(symlink("f", "x"), 5), symlink("f", "x"), 5, 0, ""},
      {"other target", stored(symlink("f", "x"), 5), symlink("f", "y"), 0, 0, ""},
  };
  for (const auto& c : cases) {
    const auto merged = merge_row(c.old, c.row);
    EXPECT_EQ(merged.entry.id, c.id) << c.what;
    EXPECT_EQ(merged.entry.stat_wall_ns, c.stat_wall_ns) << c.what;
    EXPECT_EQ(merged.entry.remote.validator, c.validator) << c.what;
    EXPECT_EQ(merged.entry.remote.type, c.row.type) << c.what;
  }
}

TEST(MergeRow, KeepsWhatOnlyStatTold) {
  auto known = file("f", "A", "t");
  known.mtime_ns = 7;
  known.mode = 0640;
  known.settled = false;
  const auto merged = merge_row(stored(known, 5, 100), file("f", "", "t"));
  EXPECT_EQ(merged.entry.remote, known);
  EXPECT_FALSE(merged.attributes_changed);
}

TEST(MergeRow, ARowThatContradictsStatPutsItInDoubt) {
  auto row = file("f", "", "t");
  row.size = 99;
  const auto merged = merge_row(stored(file("f", "A", "t"), 5, 100), row);
  EXPECT_EQ(merged.entry.stat_wall_ns, kStatInDoubt);
  EXPECT_EQ(merged.entry.remote.size, 1U) << "the last known version stays until stat is asked";
  EXPECT_TRUE(merged.attributes_changed);
}

TEST(MergeRow, NoticesOtherAttributes) {
  auto row = directory("d");
  row.mode = 0700;
  EXPECT_TRUE(merge_row(stored(directory("d"), 5), row).attributes_changed);
  EXPECT_FALSE(merge_row(stored(directory("d"), 5), directory("d")).attributes_changed);
}

TEST(MergeStat, SameVersionKeepsTheIdAndTheToken) {
  auto answer = file("", "A");
  const auto merged = merge_stat(stored(file("f", "A", "t"), 5, kStatInDoubt), answer, 900, "t");
  EXPECT_EQ(merged.entry.id, 5U);
  EXPECT_EQ(merged.entry.remote.name, "f");
  EXPECT_EQ(merged.entry.remote.token, "t");
  EXPECT_EQ(merged.entry.stat_wall_ns, 900);
}

TEST(MergeStat, AnotherVersionIsAnotherNode) {
  EXPECT_EQ(merge_stat(stored(file("f", "A"), 5), file("", "B"), 900, "").entry.id, 0U);
  EXPECT_EQ(merge_stat(stored(file("f", ""), 5), file("", "B"), 900, "").entry.id, 5U);
  EXPECT_EQ(merge_stat(stored(directory("f"), 5), file("", "B"), 900, "").entry.id, 0U);
}

TEST(MergeStat, AListingInBetweenLeavesDoubt) {
  const auto merged = merge_stat(stored(file("f", "A", "new"), 5), file("", "A"), 900, "old");
  EXPECT_EQ(merged.entry.stat_wall_ns, kStatInDoubt);
}

TEST(MergeListing, TellsWhatChanged) {
  const std::vector<cache::StoredEntry> old{
      stored(directory("dir"), 2), stored(file("gone", "A"), 3), stored(directory("gonedir"), 4),
      stored(file("same", "A"), 5), stored(file("swap", "A"), 6)};
  const auto merged = merge_listing(
      old, {file("swap", "B"), file("new", "A"), file("same", "A"), directory("dir")});
  ASSERT_EQ(merged.entries.size(), 4U);
  EXPECT_EQ(merged.entries[0].id, 2U);
  EXPECT_EQ(merged.entries[1].remote.name, "new");
  EXPECT_EQ(merged.entries[1].id, 0U);
  EXPECT_EQ(merged.entries[2].id, 5U);
  EXPECT_EQ(merged.entries[3].id, 0U);
  EXPECT_EQ(merged.new_ids, 2U);
  EXPECT_EQ(merged.changed_names, (std::vector<std::string>{"gone", "gonedir", "new", "swap"}));
  EXPECT_EQ(merged.gone_directories, (std::vector<NodeId>{4}));
  EXPECT_TRUE(merged.changed_nodes.empty());
  EXPECT_FALSE(merged.same);
}

TEST(MergeListing, ADirectoryReplacedByAFileIsGone) {
  const auto merged = merge_listing({stored(directory("x"), 2)}, {file("x", "A")});
  EXPECT_EQ(merged.gone_directories, (std::vector<NodeId>{2}));
  EXPECT_EQ(merged.new_ids, 1U);
}

TEST(MergeListing, SeesThatNothingChanged) {
  const std::vector<cache::StoredEntry> old{stored(directory("a"), 2), stored(file("b", "A"), 3)};
  const auto merged = merge_listing(old, {file("b", "A"), directory("a")});
  EXPECT_TRUE(merged.same);
  EXPECT_TRUE(merged.changed_names.empty());
}

TEST(MergeListing, RefusesNamesThatCannotBe) {
  const auto merged = merge_listing(
      {}, {file("..", "A"), file("a/b", "A"), file("", "A"), file("ok", "A"), file("ok", "B"),
           file(std::string(256, 'x'), "A"), file("long", std::string(5000, 'v')),
           symlink("link", std::string(5000, 'x'))});
  ASSERT_EQ(merged.entries.size(), 1U);
  EXPECT_EQ(merged.entries[0].remote.validator, "A") << "the first of two rows wins";
  EXPECT_EQ(merged.refused, 7U);
}

}  // namespace
}  // namespace lazyvol::volume
