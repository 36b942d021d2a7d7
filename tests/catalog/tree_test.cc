#include <algorithm>
#include <functional>

#include "catalog/descent.h"
#include "tree_support.h"

namespace lazyvol::catalog {
namespace {

unsigned height(const std::string& root) {
  base::ByteReader in(root);
  return read_page_header(in).level;
}

Model grown(std::uint64_t seed, std::size_t count, std::uint64_t directories = 20) {
  Random random(seed);
  Model model;
  while (model.size() < count) {
    Entry entry = random.entry(directories, 4 * count);
    model.try_emplace(name_key(entry.directory, entry.name), entry);
  }
  return model;
}

TEST(Tree, OfNothingIsAnEmptyLeaf) {
  MemoryPages pages;
  EXPECT_EQ(build(pages, {}), empty_roots());
  EXPECT_EQ(pages.fresh, 0);
  EXPECT_EQ(*find_entry(pages, page_of(empty_roots().names), 1, "a"), std::nullopt);
  EXPECT_TRUE(list_directory(pages, page_of(empty_roots().names), 1, "", 10)->empty());
}

TEST(Tree, OfFewEntriesLiesInItsRoots) {
  MemoryPages pages;
  const Roots roots = build(pages, grown(3, 5), {});
  EXPECT_EQ(height(roots.names), 0);
  EXPECT_EQ(pages.sizes.size(), 0);
  EXPECT_TRUE(list_directory(pages, page_of(roots.names), 1'000, "", 10)->empty());
}

TEST(Tree, FindsEachEntryByNameAndId) {
  MemoryPages pages;
  const Model model = grown(1, 3'000);
  const Roots roots = build(pages, model);
  EXPECT_GE(height(roots.names), 3);
  const Page names = page_of(roots.names), ids = page_of(roots.ids);
  for (const auto& [key, entry] : model) {
    EXPECT_EQ(*find_entry(pages, names, entry.directory, entry.name), entry);
    EXPECT_EQ(*find_entry(pages, names, ids, entry.id), entry);
    EXPECT_EQ(*find_entry(pages, names, entry.directory, entry.name + "?"), std::nullopt);
  }
  for (const NodeId id : {NodeId{1}, NodeId{INT64_MAX}}) {
    EXPECT_EQ(*find_entry(pages, names, ids, id), std::nullopt);
  }
  auto next = model.begin();
  EXPECT_TRUE(for_each_entry(pages, names, [&](Entry entry) {
                EXPECT_EQ(entry, next->second);
                ++next;
                return Status();
              }).ok());
  EXPECT_EQ(next, model.end());
}

TEST(Tree, OfOneLeafIsWalkedToItsEnd) {
  MemoryPages pages;
  Model model;
  for (const Entry& entry : sample_kinds()) model[name_key(entry.directory, entry.name)] = entry;
  const Roots roots = build(pages, model);
  std::vector<Entry> walked;
  const Status status = for_each_entry(pages, page_of(roots.names), [&](Entry entry) {
    walked.push_back(std::move(entry));
    return Status();
  });
  ASSERT_TRUE(status.ok()) << status.error().message;
  EXPECT_EQ(walked, sample_kinds());
}

TEST(Tree, ListsADirectoryFromAnyName) {
  MemoryPages pages;
  const Model model = grown(2, 2'000, 4);
  const Page names = page_of(build(pages, model).names);
  for (const NodeId directory : {1, 2, 3, 4, 5}) {
    std::vector<std::string> expected;
    for (const auto& [key, entry] : model) {
      if (entry.directory == directory) expected.push_back(entry.name);
    }
    for (const std::size_t limit : {std::size_t{1}, std::size_t{7}, std::size_t{10'000}}) {
      std::vector<std::string> listed;
      for (std::string after;; after = listed.back()) {
        const auto part = list_directory(pages, names, directory, after, limit);
        ASSERT_TRUE(part.ok());
        EXPECT_LE(part->size(), limit);
        if (part->empty()) break;
        for (const auto& entry : *part) {
          listed.push_back(entry.name);
          EXPECT_EQ(entry.attributes.id, model.at(name_key(directory, entry.name)).id);
        }
      }
      EXPECT_EQ(listed, expected);
    }
  }
}

// The property that everything rests on.
TEST(Tree, UpdatingEqualsRebuilding) {
  for (std::uint64_t seed = 1; seed <= 80; ++seed) {
    Random random(seed);
    MemoryPages pages;
    Model model;
    Roots roots = empty_roots();
    const std::uint64_t names = 20 + random.below(400);
    for (int round = 0; round < 50; ++round) {
      const std::size_t count = 1 + random.below(random.below(8) == 0 ? 150 : 5);
      const auto edits = random_edits(random, model, std::min<std::size_t>(count, names), 5, names);
      const auto updated = update_catalog(pages, pages, roots, kSmall, edits);
      ASSERT_TRUE(updated.ok()) << updated.error().message;
      roots = *updated;
      ASSERT_EQ(roots, build(pages, model)) << "seed " << seed << ", round " << round;
    }
  }
}

TEST(Tree, ShrinksToNothingAsItGrew) {
  Random random(9);
  MemoryPages pages;
  Model model = grown(4, 800);
  Roots roots = build(pages, model);
  while (!model.empty()) {
    std::vector<EntryEdit> edits;
    for (std::uint64_t n = 1 + random.below(60); n > 0 && !model.empty(); --n) {
      const auto at = std::next(model.begin(), static_cast<long>(random.below(model.size())));
      edits.push_back({at->first, std::nullopt});
      model.erase(at);
    }
    std::sort(edits.begin(), edits.end(),
              [](const auto& a, const auto& b) { return a.key < b.key; });
    roots = *update_catalog(pages, pages, roots, kSmall, edits);
    ASSERT_EQ(roots, build(pages, model)) << model.size();
  }
  EXPECT_EQ(roots, empty_roots());
}

TEST(Tree, PagesThatEndByTheirSizeAreNoException) {
  // Rows so heavy that no page lives long enough to end by a key's hash.
  Random random(5);
  MemoryPages pages;
  Model model;
  Roots roots = empty_roots();
  for (int round = 0; round < 300; ++round) {
    std::map<std::string, std::optional<Entry>> edits;
    for (std::uint64_t n = 1 + random.below(4); n > 0; --n) {
      Entry entry = random.entry(2, 100);
      entry.xattrs = {{"user.x", std::string(600 + random.below(2'500), 'x')}};
      const std::string key = name_key(entry.directory, entry.name);
      if (random.below(3) == 0) {
        edits[key] = std::nullopt;
      } else {
        edits[key] = entry;
      }
    }
    std::vector<EntryEdit> list;
    for (const auto& [key, entry] : edits) {
      list.push_back({key, entry});
      if (entry) model[key] = *entry;
      if (!entry) model.erase(key);
    }
    roots = *update_catalog(pages, pages, roots, kSmall, list);
    ASSERT_EQ(roots, build(pages, model)) << round;
  }
}

TEST(Tree, AnEditCostsAFewPages) {
  Random random(6);
  MemoryPages pages;
  Model model = grown(5, 20'000, 200);
  const Chunking chunking;
  Roots roots = build(pages, model, chunking);
  double leaves = 0;
  for (int round = 0; round < 50; ++round) {
    pages.fresh = pages.reads = 0;
    const auto at = std::next(model.begin(), static_cast<long>(random.below(model.size())));
    Entry entry = at->second;
    entry.mtime_ns += 1;
    at->second = entry;
    roots = *update_catalog(pages, pages, roots, chunking, {put_entry(entry)});
    leaves += static_cast<double>(pages.fresh);
    EXPECT_LE(pages.fresh, 12);
    EXPECT_LE(pages.reads, 30);
  }
  EXPECT_LT(leaves / 50, 4);
  EXPECT_EQ(roots, build(pages, model, chunking));
}

TEST(Tree, AnEditOfNothingChangesNothing) {
  MemoryPages pages;
  const Model model = grown(7, 500);
  const Roots roots = build(pages, model);
  EXPECT_EQ(*update_catalog(pages, pages, roots, kSmall, {}), roots);
  EXPECT_EQ(*update_catalog(pages, pages, roots, kSmall, {erase_entry(3, "not there")}), roots);
  EXPECT_EQ(*update_catalog(pages, pages, roots, kSmall, {put_entry(model.begin()->second)}),
            roots);
}

TEST(Tree, RefusesWhatIsWrong) {
  MemoryPages pages;
  const Entry a = sample_file(1, "a", 2), b = sample_file(1, "b", 3);
  CatalogBuilder builder(pages, kSmall);
  EXPECT_TRUE(builder.add(b).ok());
  EXPECT_EQ(builder.add(a).error().code, Code::invalid_argument);
  EXPECT_EQ(builder.add(b).error().code, Code::invalid_argument);
  Entry twin = sample_file(1, "c", 3);
  EXPECT_TRUE(builder.add(twin).ok());
  EXPECT_TRUE(builder.finish().ok() == false);
  const auto update = [&](std::vector<EntryEdit> edits) {
    return update_catalog(pages, pages, empty_roots(), kSmall, std::move(edits));
  };
  EXPECT_EQ(update({put_entry(b), put_entry(a)}).error().code, Code::invalid_argument);
  EXPECT_EQ(update({put_entry(a), put_entry(a)}).error().code, Code::invalid_argument);
  Entry bad = a;
  bad.name = "..";
  EXPECT_EQ(update({put_entry(bad)}).error().code, Code::invalid_argument);
}

TEST(Tree, PagesAreOfTheSizeThatWasAskedFor) {
  MemoryPages pages;
  build(pages, grown(8, 60'000, 3'000), Chunking());
  std::vector<std::size_t> sizes = pages.sizes;
  std::sort(sizes.begin(), sizes.end());
  ASSERT_GT(sizes.size(), 50);
  EXPECT_GT(sizes[sizes.size() / 2], 14'000);
  EXPECT_LT(sizes[sizes.size() / 2], 40'000);
  EXPECT_LT(sizes.back(), 80'000);
}

TEST(Descent, RefusesPagesOutOfPlace) {
  MemoryPages pages;
  const Roots roots = build(pages, grown(1, 2'000));
  Descent other(Tree::ids, id_key(5));
  EXPECT_EQ(other.enter(roots.names).error().code, Code::corrupt);
  Descent again(Tree::names, name_key(1, "file"));
  ASSERT_TRUE(again.enter(roots.names)->next);
  EXPECT_EQ(again.enter(roots.names).error().code, Code::corrupt);
  Descent past(Tree::names, name_key(1'000'000, "file"));
  EXPECT_TRUE(past.enter(roots.names)->absent);
  EXPECT_FALSE(Descent(Tree::names, "").enter("").ok());
}

}  // namespace
}  // namespace lazyvol::catalog
