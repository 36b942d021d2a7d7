#include "git/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "git/tree_rows.h"
#include "lazyvol/entry.h"

namespace lazyvol::git {
namespace {

using ::testing::ElementsAre;

const std::string kId(40, 'a');

std::string row(const std::string& mode, const std::string& type, const std::string& path) {
  return mode + " " + type + " " + kId + "\t" + path;
}

TEST(TreeRow, TellsModesOfNowAndOfOldTimes) {
  EXPECT_EQ(parse_tree_row(row("100644", "blob", "a"))->type, RowType::file);
  EXPECT_EQ(parse_tree_row(row("100664", "blob", "a"))->type, RowType::file);
  EXPECT_EQ(parse_tree_row(row("100755", "blob", "a"))->type, RowType::program);
  EXPECT_EQ(parse_tree_row(row("120000", "blob", "a"))->type, RowType::symlink);
  EXPECT_EQ(parse_tree_row(row("040000", "tree", "a"))->type, RowType::directory);
  EXPECT_EQ(parse_tree_row(row("160000", "commit", "a"))->type, RowType::submodule);
  EXPECT_EQ(parse_tree_row(row("100644", "blob", "a b\tc\n\xff"))->path, "a b\tc\n\xff");
}

TEST(TreeRow, OfAnotherFormIsRefused) {
  for (const std::string& bad :
       {std::string(), std::string("\t"), row("100644", "tree", "a"), row("040000", "blob", "a"),
        row("644", "blob", "a"), row("100644", "blob", ""), row("100644", "blob", "/a"),
        std::string("100644 blob abc\ta"), "100644 " + kId + "\ta"}) {
    EXPECT_FALSE(parse_tree_row(bad).ok()) << bad;
  }
}

TEST(TreeRows, ComeInPiecesOfAnyLength) {
  const std::string all = row("100644", "blob", "one") + '\0' + row("100755", "blob", "two") + '\0';
  for (std::size_t piece = 1; piece < all.size(); ++piece) {
    std::vector<std::string> seen;
    TreeRowReader reader([&](const TreeRow& one) {
      seen.emplace_back(one.path);
      return Status();
    });
    for (std::size_t at = 0; at < all.size(); at += piece) {
      ASSERT_TRUE(reader.add(std::string_view(all).substr(at, piece)).ok());
    }
    EXPECT_TRUE(reader.finish().ok());
    EXPECT_THAT(seen, ElementsAre("one", "two"));
  }
}

TEST(TreeRows, CutOffAreDamage) {
  TreeRowReader reader([](const TreeRow&) { return Status(); });
  EXPECT_TRUE(reader.add("100644 bl").ok());
  EXPECT_FALSE(reader.finish().ok());
}

void add(Snapshot& snapshot, RowType type, const std::string& path,
         Snapshot::Number base = Snapshot::kRoot) {
  ASSERT_TRUE(snapshot.add(base, 0, {type, kId, path}).ok());
}

std::vector<std::string> names(const Snapshot& snapshot, Snapshot::Number directory) {
  std::vector<std::string> out;
  for (const auto child : snapshot.children(directory)) out.emplace_back(snapshot.name(child));
  return out;
}

TEST(Snapshot, SortsNamesAsBytesWhereGitSortsDirectoriesAsIfTheyEndedWithASlash) {
  Snapshot snapshot;
  add(snapshot, RowType::file, "a-b");
  add(snapshot, RowType::directory, "a");
  add(snapshot, RowType::file, "a/x");
  add(snapshot, RowType::directory, "a/sub");
  add(snapshot, RowType::file, "a/sub/deep");
  add(snapshot, RowType::file, "a0");
  snapshot.finish();
  EXPECT_THAT(names(snapshot, Snapshot::kRoot), ElementsAre("a", "a-b", "a0"));
  EXPECT_THAT(names(snapshot, snapshot.find("a")), ElementsAre("sub", "x"));
  EXPECT_EQ(snapshot.path(snapshot.find("a/sub/deep")), "a/sub/deep");
  EXPECT_EQ(snapshot.find("a/none"), Snapshot::kNone);
  EXPECT_EQ(snapshot.left_out(), 0U);
}

TEST(Snapshot, LeavesOutWhatCannotBeShownWithAllBelowIt) {
  Snapshot snapshot;
  add(snapshot, RowType::directory, ".git");
  add(snapshot, RowType::file, ".git/config");
  add(snapshot, RowType::directory, "..");
  add(snapshot, RowType::file, "../etc");
  add(snapshot, RowType::file, std::string(kMaxName + 1, 'x'));
  add(snapshot, RowType::file, ".gitignore");
  snapshot.finish();
  EXPECT_THAT(names(snapshot, Snapshot::kRoot), ElementsAre(".gitignore"));
  EXPECT_EQ(snapshot.left_out(), 5U);
}

TEST(Snapshot, GraftsATreeBelowAnother) {
  Snapshot snapshot;
  add(snapshot, RowType::submodule, "lib");
  const auto lib = static_cast<Snapshot::Number>(snapshot.size() - 1);
  add(snapshot, RowType::file, "z");
  add(snapshot, RowType::directory, "src", lib);
  add(snapshot, RowType::file, "src/a", lib);
  snapshot.finish();
  EXPECT_THAT(names(snapshot, Snapshot::kRoot), ElementsAre("lib", "z"));
  EXPECT_EQ(snapshot.path(snapshot.find("lib/src/a")), "lib/src/a");
}

}  // namespace
}  // namespace lazyvol::git
