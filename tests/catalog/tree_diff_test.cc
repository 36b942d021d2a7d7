#include "catalog/tree_diff.h"

#include "tree_support.h"

namespace lazyvol::catalog {
namespace {

struct Told {
  std::map<std::string, std::pair<std::optional<Entry>, std::optional<Entry>>> changes;
  std::size_t pages = 0;
};

Told diff(MemoryPages& pages, const std::string& before, const std::string& after) {
  TreeDiff walk(before, after);
  Told told;
  for (;;) {
    auto step = walk.next();
    EXPECT_TRUE(step.ok());
    if (!step.ok()) return told;
    if (const auto* wanted = std::get_if<TreeDiff::Wanted>(&*step)) {
      ++told.pages;
      EXPECT_TRUE(walk.supply(**pages.read(wanted->frame)).ok());
    } else if (const auto* change = std::get_if<Change>(&*step)) {
      const Entry& one = change->before ? *change->before : *change->after;
      EXPECT_TRUE(
          told.changes
              .emplace(name_key(one.directory, one.name), std::pair(change->before, change->after))
              .second);
    } else {
      return told;
    }
  }
}

Told expected(const Model& before, const Model& after) {
  Told told;
  for (const auto& [key, entry] : before) {
    const auto now = after.find(key);
    if (now == after.end()) {
      told.changes[key] = {entry, std::nullopt};
    } else if (now->second != entry) {
      told.changes[key] = {entry, now->second};
    }
  }
  for (const auto& [key, entry] : after) {
    if (!before.contains(key)) told.changes[key] = {std::nullopt, entry};
  }
  return told;
}

TEST(TreeDiff, IsTheDifferenceOfTheSets) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    MemoryPages pages;
    Model before, after;
    random_edits(random, before, random.below(600), 4, 1'000);
    after = before;
    std::string old_root = build(pages, before).names;
    for (int round = 0; round < 10; ++round) {
      random_edits(random, after, 1 + random.below(random.below(3) == 0 ? 300 : 4), 4, 1'000);
      const std::string new_root = build(pages, after).names;
      EXPECT_EQ(diff(pages, old_root, new_root).changes, expected(before, after).changes);
      EXPECT_EQ(diff(pages, new_root, old_root).changes, expected(after, before).changes);
      if (round % 3 == 0) {
        before = after;
        old_root = new_root;
      }
    }
  }
}

TEST(TreeDiff, OfEqualTreesReadsNothing) {
  Random random(3);
  MemoryPages pages;
  Model model;
  random_edits(random, model, 900, 4, 2'000);
  const std::string root = build(pages, model).names;
  const Told told = diff(pages, root, root);
  EXPECT_TRUE(told.changes.empty());
  EXPECT_EQ(told.pages, 0);
}

TEST(TreeDiff, AgainstNothingIsEverything) {
  Random random(4);
  MemoryPages pages;
  Model model;
  random_edits(random, model, 900, 4, 2'000);
  const std::string root = build(pages, model).names;
  EXPECT_EQ(diff(pages, empty_roots().names, root).changes.size(), model.size());
  EXPECT_EQ(diff(pages, root, empty_roots().names).changes.size(), model.size());
}

TEST(TreeDiff, CostsTheChangedPages) {
  Random random(5);
  MemoryPages pages;
  Model model;
  random_edits(random, model, 30'000, 400, 50'000);
  const std::string before = build(pages, model, {}).names;
  std::size_t read = 0;
  for (int round = 0; round < 30; ++round) {
    Model after = model;
    // A name comes, a name goes, a file changes.
    const auto pick = [&] {
      return std::next(after.begin(), static_cast<long>(random.below(after.size())));
    };
    after.erase(pick());
    pick()->second.mode = 0600;
    Entry fresh = random.entry(400, 50'000);
    fresh.name += "-new";
    after[name_key(fresh.directory, fresh.name)] = fresh;
    const Told told = diff(pages, before, build(pages, after, {}).names);
    EXPECT_EQ(told.changes, expected(model, after).changes);
    read += told.pages;
  }
  // Three leaves on each side, what lies above them, and now and then a neighbour.
  EXPECT_LT(read / 30, 18);
}

TEST(TreeDiff, TellsWhichPagesItWillWant) {
  Random random(6);
  MemoryPages pages;
  Model model;
  random_edits(random, model, 900, 4, 2'000);
  const std::string before = build(pages, model).names;
  random_edits(random, model, 100, 4, 2'000);
  TreeDiff walk(before, build(pages, model).names);
  ASSERT_TRUE(walk.next().ok());
  const auto soon = walk.upcoming(8);
  EXPECT_GT(soon.size(), 1);
  EXPECT_LE(soon.size(), 8);
}

TEST(TreeDiff, RefusesPagesOutOfPlace) {
  Random random(7);
  MemoryPages pages;
  Model model;
  random_edits(random, model, 900, 4, 2'000);
  const std::string before = build(pages, model).names;
  TreeDiff walk(empty_roots().names, before);
  ASSERT_TRUE(std::holds_alternative<TreeDiff::Wanted>(*walk.next()));
  EXPECT_EQ(walk.supply(before).error().code, Code::corrupt);
  TreeDiff idle(before, before);
  EXPECT_EQ(idle.supply(before).error().code, Code::invalid_argument);
  TreeDiff broken("", "x");
  EXPECT_EQ(broken.next().error().code, Code::corrupt);
}

}  // namespace
}  // namespace lazyvol::catalog
