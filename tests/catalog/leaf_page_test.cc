#include "catalog/leaf_page.h"

#include <gtest/gtest.h>

#include "hostile.h"
#include "samples.h"

namespace lazyvol::catalog {
namespace {

// Many directories of few and many entries, names that share beginnings across restarts.
std::vector<Entry> many_entries() {
  Random random(11);
  Model model;
  while (model.size() < 700) {
    Entry entry = random.entry(9, 400);
    model.emplace(name_key(entry.directory * 3, entry.name), std::move(entry));
  }
  std::vector<Entry> result;
  for (auto& [key, entry] : model) {
    entry.directory *= 3;
    result.push_back(entry);
  }
  return result;
}

TEST(LeafPage, KeepsEachKindOfEntry) {
  const auto entries = sample_kinds();
  const std::string page = encode_leaf_page(entries);
  const auto leaf = LeafPage::open(page);
  ASSERT_TRUE(leaf.ok()) << leaf.error().message;
  EXPECT_TRUE(leaf->validate().ok());
  EXPECT_EQ(*leaf->entries(), entries);
}

TEST(LeafPage, MayBeEmpty) {
  const std::string page = encode_leaf_page({});
  const auto leaf = LeafPage::open(page);
  ASSERT_TRUE(leaf.ok());
  EXPECT_TRUE(leaf->validate().ok());
  EXPECT_EQ(leaf->rows(), 0);
  EXPECT_EQ(*leaf->lower_bound(1, "a"), 0);
  EXPECT_EQ(*leaf->find(1, "a"), std::nullopt);
  EXPECT_EQ(*leaf->find_id(2), std::nullopt);
  EXPECT_TRUE(leaf->entries()->empty());
}

TEST(LeafPage, FindsEachEntryWithoutTheOthers) {
  const auto entries = many_entries();
  const std::string page = encode_leaf_page(entries);
  const auto leaf = LeafPage::open(page);
  ASSERT_TRUE(leaf.ok());
  ASSERT_TRUE(leaf->validate().ok());
  ASSERT_EQ(leaf->rows(), entries.size());
  for (std::size_t row = 0; row < entries.size(); ++row) {
    const Entry& entry = entries[row];
    EXPECT_EQ(*leaf->find(entry.directory, entry.name), row);
    EXPECT_EQ(*leaf->find_id(entry.id), row);
    EXPECT_EQ(*leaf->entry(row), entry);
    EXPECT_EQ(*leaf->place(row), (Place{entry.directory, entry.name}));
    EXPECT_EQ(leaf->directory(row), entry.directory);
    const auto shown = leaf->attributes(row);
    EXPECT_EQ(shown->id, entry.id);
    EXPECT_EQ(shown->size, entry.size);
    EXPECT_EQ(shown->mtime_ns, entry.mtime_ns);
    EXPECT_EQ(shown->mode, entry.mode);
    EXPECT_EQ(shown->type, entry.type);
  }
}

TEST(LeafPage, LowerBoundIsTheFirstAtOrAfter) {
  const auto entries = many_entries();
  const std::string page = encode_leaf_page(entries);
  const auto leaf = LeafPage::open(page);
  for (NodeId directory = 0; directory < 30; ++directory) {
    for (const char* name : {"", "a", "file-", "file-1", "file-2", "file-299", "file-3x",
                             "file-71x", "file-99999", "zzz"}) {
      std::size_t expected = 0;
      while (expected < entries.size() &&
             name_key(entries[expected].directory, entries[expected].name) <
                 name_key(directory, name)) {
        ++expected;
      }
      EXPECT_EQ(*leaf->lower_bound(directory, name), expected) << directory << " " << name;
    }
    EXPECT_EQ(*leaf->find(directory, "not there"), std::nullopt);
  }
}

TEST(LeafPage, WalkStartsAnywhere) {
  const auto entries = many_entries();
  const std::string page = encode_leaf_page(entries);
  const auto leaf = LeafPage::open(page);
  for (std::size_t start = 0; start <= entries.size(); ++start) {
    LeafWalk walk(*leaf, start);
    for (std::size_t row = start; row < std::min(start + 40, entries.size()); ++row) {
      ASSERT_TRUE(walk.next());
      EXPECT_EQ(walk.row(), row);
      EXPECT_EQ(walk.name(), entries[row].name);
      EXPECT_EQ(walk.directory(), entries[row].directory);
    }
  }
}

TEST(LeafPage, AnAliasIsNotFoundByItsId) {
  const auto entries = sample_kinds();
  const std::string page = encode_leaf_page(entries);
  const auto leaf = LeafPage::open(page);
  EXPECT_EQ(*leaf->find_id(6), 4);
  EXPECT_TRUE(leaf->entry(5)->alias);
}

// Every accessor on every row: what is answered must be possible, and is_valid() must promise it.
void use(std::string_view bytes) {
  const auto leaf = LeafPage::open(bytes);
  if (!leaf.ok()) {
    EXPECT_EQ(leaf.error().code, Code::corrupt);
    return;
  }
  const bool valid = leaf->validate().ok();
  for (std::size_t row = 0; row < std::min<std::size_t>(leaf->rows(), 64); ++row) {
    (void)leaf->directory(row);
    const auto entry = leaf->entry(row);
    const auto place = leaf->place(row);
    if (entry.ok()) {
      EXPECT_TRUE(check_entry(*entry).ok());
      EXPECT_TRUE(leaf->attributes(row).ok());
    }
    if (valid) {
      ASSERT_TRUE(entry.ok());
      EXPECT_EQ(*leaf->find(entry->directory, entry->name), row);
    }
  }
  for (const char* name : {"", "cat", "etc", "zz"}) {
    for (const NodeId directory : {0, 1, 2, 7, 9}) {
      const auto row = leaf->lower_bound(directory, name);
      if (row.ok()) {
        EXPECT_LE(*row, leaf->rows());
      }
    }
  }
  (void)leaf->find_id(6);
}

TEST(LeafPage, TakesAnyBytes) {
  with_damage(encode_leaf_page(sample_kinds()), 20'000, use);
  std::vector<Entry> entries = many_entries();
  entries.resize(40);
  with_damage(encode_leaf_page(entries), 5'000, use);
}

TEST(LeafPage, HasLimits) {
  // Rows and pieces that would cost nothing in the page.
  base::ByteWriter rows;
  write_page_header(rows, {Tree::names, 0, kMaxPageRows + 1});
  EXPECT_EQ(LeafPage::open(rows.view()).error().code, Code::corrupt);
  EXPECT_EQ(LeafPage::open(std::string(kMaxPageBytes + 1, '\1')).error().code, Code::corrupt);
}

TEST(LeafPage, ValidateRefusesWhatIsOutOfOrder) {
  auto entries = sample_kinds();
  std::swap(entries[1], entries[2]);
  const std::string swapped = encode_leaf_page(entries);
  EXPECT_FALSE(LeafPage::open(swapped)->validate().ok());
  entries = sample_kinds();
  entries[2].name = entries[1].name;
  const std::string twice = encode_leaf_page(entries);
  EXPECT_FALSE(LeafPage::open(twice)->validate().ok());
  entries = sample_kinds();
  entries[2].name = "..";
  const std::string dots = encode_leaf_page(entries);
  EXPECT_FALSE(LeafPage::open(dots)->validate().ok());
  EXPECT_FALSE(LeafPage::open(dots)->entry(2).ok());
}

TEST(LeafPage, CostsLittlePerEntry) {
  std::vector<Entry> entries;
  for (NodeId id = 2; id < 800; ++id) {
    char name[32];
    std::snprintf(name, sizeof name, "module_%04u.py", static_cast<unsigned>(id));
    entries.push_back(
        sample_file(1, name, id, static_cast<std::uint32_t>(1'000 + id * 37 % 9'000)));
    auto& piece = std::get<PieceContent>(entries.back().content).pieces[0];
    piece.frame = sample_frame(id / 32);
    piece.offset = static_cast<std::uint32_t>(id % 32 * 4'000);
  }
  const std::string page = encode_leaf_page(entries);
  EXPECT_LT(page.size() / entries.size(), 20);
}

}  // namespace
}  // namespace lazyvol::catalog
