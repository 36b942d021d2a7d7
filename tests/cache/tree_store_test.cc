// The tree store by cases; tree_property_test.cc has the random operations.
#include "cache/tree_store.h"

#include <gmock/gmock.h>

#include "support/temp_dir.h"
#include "tree_test_data.h"

namespace lazyvol::cache {
namespace {

class TreeStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { open(); }
  void open() {
    store_.reset();
    index_.reset();
    auto opened = Index::open(dir_.path());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    index_ = *std::move(opened);
    store_ = std::make_unique<TreeStore>(*index_);
    const auto volume = store_->open_volume("http://origin/");
    ASSERT_TRUE(volume.ok()) << volume.error().message;
    volume_ = *volume;
  }
  static StoredEntry entry(std::string name, NodeId id, NodeType type = NodeType::file) {
    StoredEntry result;
    result.remote.name = std::move(name);
    result.remote.type = type;
    result.id = id;
    return result;
  }
  // `count` files "f000000"… with ids from `first`.
  static std::vector<StoredEntry> files(std::size_t count, NodeId first) {
    std::vector<StoredEntry> result;
    for (std::size_t n = 0; n < count; ++n) {
      char name[16];
      std::snprintf(name, sizeof name, "f%06zu", n);
      result.push_back(entry(name, first + n));
      result.back().remote.validator = "\"5f3e-" + std::to_string(n) + "\"";
    }
    return result;
  }
  void replace(NodeId directory, const std::vector<StoredEntry>& entries) {
    DirectoryHeader header;
    header.entries = entries.size();
    const Status status = store_->replace(volume_, directory, header, entries);
    ASSERT_TRUE(status.ok()) << status.error().message;
  }
  std::string place(NodeId id) {
    const auto place = store_->place(volume_, id);
    EXPECT_TRUE(place.ok());
    if (!place.ok() || !place->has_value()) return "none";
    return std::to_string((*place)->parent) + "/" + (*place)->name;
  }
  std::size_t rows(Keyspace space) {
    std::size_t count = 0;
    EXPECT_TRUE(index_->scan(space, "", [&](auto, auto) { return ++count > 0; }).ok());
    return count;
  }

  lazyvol::testing::TempDir dir_;
  std::unique_ptr<Index> index_;
  std::unique_ptr<TreeStore> store_;
  VolumeId volume_ = 0;
};

TEST_F(TreeStoreTest, NeverListedIsNotEmpty) {
  EXPECT_EQ(*store_->header(volume_, 1), std::nullopt);
  EXPECT_TRUE(store_->entries(volume_, 1)->empty());
  EXPECT_EQ(*store_->find(volume_, 1, "a"), std::nullopt);
  replace(1, {});
  EXPECT_NE(*store_->header(volume_, 1), std::nullopt);
}

TEST_F(TreeStoreTest, VolumesKeepTheirNumbersAndShareNothing) {
  const auto other = store_->open_volume("http://other/");
  ASSERT_TRUE(other.ok());
  EXPECT_NE(*other, volume_);
  replace(1, {entry("a", 2)});
  EXPECT_EQ(*store_->find(*other, 1, "a"), std::nullopt);
  EXPECT_EQ((*store_->place(*other, 2)), std::nullopt);
  const VolumeId before = volume_;
  open();
  EXPECT_EQ(volume_, before);
  EXPECT_EQ(*store_->open_volume("http://other/"), *other);
  EXPECT_EQ(store_->open_volume("").error().code, Code::invalid_argument);
}

TEST_F(TreeStoreTest, IdsAreNeverHandedOutTwice) {
  NodeId next = kRootNode + 1;
  for (int life = 0; life < 4; ++life) {
    for (const std::uint64_t count : {1U, 5U, 4095U, 10'000U}) {
      const auto first = store_->allocate_nodes(volume_, count);
      ASSERT_TRUE(first.ok());
      EXPECT_GE(*first, next);
      next = *first + count;
    }
    open();
  }
  EXPECT_EQ(store_->allocate_nodes(volume_ + 1, 1).error().code, Code::invalid_argument);
}

TEST_F(TreeStoreTest, FindsEveryNameOfALargeDirectoryAndNoOther) {
  const auto listing = files(20'000, 10);
  replace(1, listing);
  ASSERT_GT(rows(Keyspace::directories), 10U) << "the listing should have many chunks";
  for (std::size_t n = 0; n < listing.size(); n += 37) {
    EXPECT_EQ(*store_->find(volume_, 1, listing[n].remote.name), listing[n]);
  }
  for (const char* name : {"a", "f", "f00000", "f0000000", "f019999x", "z"}) {
    EXPECT_EQ(*store_->find(volume_, 1, name), std::nullopt) << name;
  }
  EXPECT_EQ(*store_->entries(volume_, 1), listing);
}

TEST_F(TreeStoreTest, NamesOfANeighbourDirectoryAreNotFound) {
  replace(1, {entry("a", 2)});
  replace(3, {entry("z", 4)});
  EXPECT_EQ(*store_->find(volume_, 2, "z"), std::nullopt);
  EXPECT_EQ(*store_->find(volume_, 3, "a"), std::nullopt);
}

TEST_F(TreeStoreTest, ReplaceMovesPlaces) {
  replace(1, {entry("gone", 2), entry("kept", 3), entry("old-name", 4), entry("version", 5)});
  replace(1, {entry("kept", 3), entry("new-name", 4), entry("version", 6)});
  EXPECT_EQ(place(2), "none");
  EXPECT_EQ(place(3), "1/kept");
  EXPECT_EQ(place(4), "1/new-name");
  EXPECT_EQ(place(5), "none");
  EXPECT_EQ(place(6), "1/version");
}

TEST_F(TreeStoreTest, AnIdThatMovedToAnotherDirectoryKeepsItsNewPlace) {
  replace(1, {entry("a", 2), entry("dir", 3, NodeType::directory)});
  replace(3, {entry("b", 2)});
  replace(1, {entry("dir", 3, NodeType::directory)});
  EXPECT_EQ(place(2), "3/b");
}

TEST_F(TreeStoreTest, AVanishedDirectoryIsForgottenWithAllBelow) {
  replace(1, {entry("d", 2, NodeType::directory), entry("f", 3)});
  replace(2, {entry("e", 4, NodeType::directory)});
  replace(4, files(3'000, 100));
  replace(1, {entry("f", 3)});
  EXPECT_EQ(place(4), "none");
  EXPECT_EQ(place(100), "none");
  EXPECT_EQ(rows(Keyspace::nodes), 1U);
  EXPECT_EQ(rows(Keyspace::directories), 2U) << "the header and the chunk of the root";
}

TEST_F(TreeStoreTest, ForgetDropsAListingOfAnySize) {
  replace(1, {entry("d", 2, NodeType::directory)});
  replace(2, files(100'000, 100));
  ASSERT_TRUE(store_->forget(volume_, 2).ok());
  EXPECT_EQ(*store_->header(volume_, 2), std::nullopt);
  EXPECT_EQ(place(2), "1/d");
  EXPECT_EQ(rows(Keyspace::nodes), 1U);
}

TEST_F(TreeStoreTest, ForgetSurvivesADirectoryThatHoldsItself) {
  replace(2, {entry("self", 2, NodeType::directory)});
  EXPECT_TRUE(store_->forget(volume_, 2).ok());
  EXPECT_EQ(rows(Keyspace::directories), 0U);
}

TEST_F(TreeStoreTest, RelistingUnchangedWritesTheHeaderAlone) {
  const auto listing = files(20'000, 10);
  replace(1, listing);
  const auto before = index_->disk_bytes();
  for (int round = 0; round < 10; ++round) replace(1, listing);
  EXPECT_LT(index_->disk_bytes() - before, 10'000U);
}

TEST_F(TreeStoreTest, UpdateEntryRewritesOneChunkAndSplitsItWhenItGrows) {
  auto listing = files(5'000, 10);
  replace(1, listing);
  const auto chunks = rows(Keyspace::directories);
  for (std::size_t n = 1'000; n < 1'200; ++n) {
    listing[n].remote.validator = std::string(1'000, 'v');
    listing[n].remote.size = n;
    listing[n].stat_wall_ns = 5;
    ASSERT_TRUE(store_->update_entry(volume_, 1, listing[n]).ok());
  }
  EXPECT_GT(rows(Keyspace::directories), chunks + 5);
  EXPECT_EQ(*store_->entries(volume_, 1), listing);
  for (const std::size_t n : {999U, 1'000U, 1'100U, 1'199U, 1'200U}) {
    EXPECT_EQ(*store_->find(volume_, 1, listing[n].remote.name), listing[n]);
  }
}

TEST_F(TreeStoreTest, UpdateEntryWithANewIdFixesBothMaps) {
  replace(1, {entry("a", 2), entry("b", 3)});
  ASSERT_TRUE(store_->update_entry(volume_, 1, entry("a", 9)).ok());
  EXPECT_EQ(place(2), "none");
  EXPECT_EQ(place(9), "1/a");
  EXPECT_EQ((*store_->find(volume_, 1, "a"))->id, 9U);
  for (const char* name : {"", "0", "aa", "z"}) {
    auto unknown = entry("x", 11);
    unknown.remote.name = *name == 0 ? "unknown" : name;
    EXPECT_EQ(store_->update_entry(volume_, 1, unknown).error().code, Code::not_found);
  }
  EXPECT_EQ(store_->update_entry(volume_, 7, entry("a", 9)).error().code, Code::not_found);
}

TEST_F(TreeStoreTest, UpdateHeaderLeavesTheEntries) {
  replace(1, {entry("a", 2)});
  const DirectoryHeader header{.listed_wall_ns = 9, .validator = "v", .entries = 1, .refused = 2};
  ASSERT_TRUE(store_->update_header(volume_, 1, header).ok());
  EXPECT_EQ(*store_->header(volume_, 1), header);
  EXPECT_EQ(store_->entries(volume_, 1)->size(), 1U);
}

TEST_F(TreeStoreTest, BadListingsAreRefusedWhole) {
  const auto code = [&](const std::vector<StoredEntry>& entries) {
    const Status status = store_->replace(volume_, 1, {}, entries);
    return status.ok() ? "ok" : to_string(status.error().code);
  };
  EXPECT_EQ(code({entry("b", 2), entry("a", 3)}), "invalid_argument");
  EXPECT_EQ(code({entry("a", 2), entry("a", 3)}), "invalid_argument");
  EXPECT_EQ(code({entry("..", 2)}), "invalid_argument");
  EXPECT_EQ(code({entry("a", 0)}), "invalid_argument");
  auto large = entry("a", 2);
  large.remote.validator = std::string(5'000, 'v');
  EXPECT_EQ(code({large}), "too_large");
  EXPECT_EQ(*store_->header(volume_, 1), std::nullopt);
}

TEST_F(TreeStoreTest, ADamagedChunkIsCorruptUntilItIsReplaced) {
  replace(1, {entry("a", 2)});
  std::string key;
  ASSERT_TRUE(index_
                  ->scan(Keyspace::directories, "",
                         [&](std::string_view found, std::string_view) {
                           key = found;
                           return true;
                         })
                  .ok());
  IndexBatch damage;
  damage.put(Keyspace::directories, key, "\x01nonsense");
  ASSERT_TRUE(index_->write(std::move(damage), false).ok());
  EXPECT_EQ(store_->find(volume_, 1, "a").error().code, Code::corrupt);
  EXPECT_EQ(store_->entries(volume_, 1).error().code, Code::corrupt);
  replace(1, {entry("b", 3)});
  EXPECT_EQ(store_->entries(volume_, 1)->size(), 1U);
  EXPECT_EQ((*store_->find(volume_, 1, "b"))->id, 3U);
}

}  // namespace
}  // namespace lazyvol::cache
