// Random operations on the tree store against plain maps, with restarts in between.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "cache/tree_store.h"
#include "support/temp_dir.h"
#include "tree_test_data.h"

namespace lazyvol::cache {
namespace {

// A few directories, all files, ids never shared: what the volume layer makes of a live source.
class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) { reopen(); }

  void step() {
    const NodeId directory = 1'000'000'000 + random_() % 4;
    switch (random_() % 12) {
      case 0:
        return reopen();
      case 1:
        return forget(directory);
      case 2:
      case 3:
        return replace(directory, 0);
      case 4:
      case 5:
        return replace(directory, 1 + random_() % 3'000);
      case 6:
        return update_header(directory);
      default:
        return update_entry(directory);
    }
  }

  void check() {
    for (const auto& [directory, listing] : directories_) {
      EXPECT_EQ(*store_->header(volume_, directory), headers_.at(directory));
      std::vector<StoredEntry> expected;
      for (const auto& [name, entry] : listing) expected.push_back(entry);
      ASSERT_EQ(*store_->entries(volume_, directory), expected);
      for (int n = 0; n < 20; ++n) {
        const std::string name = testing::random_name(random_);
        const auto at = listing.find(name);
        const auto found = store_->find(volume_, directory, name);
        ASSERT_TRUE(found.ok());
        ASSERT_EQ(*found, at == listing.end() ? std::nullopt : std::optional(at->second));
      }
    }
    std::size_t places = 0;
    ASSERT_TRUE(index_->scan(Keyspace::nodes, "", [&](auto, auto) { return ++places > 0; }).ok());
    std::size_t known = 0;
    for (const auto& [directory, listing] : directories_) {
      for (const auto& [name, entry] : listing) {
        ++known;
        const auto place = store_->place(volume_, entry.id);
        ASSERT_TRUE(place.ok() && place->has_value());
        ASSERT_EQ((*place)->parent, directory);
        ASSERT_EQ((*place)->name, name);
      }
    }
    ASSERT_EQ(places, known) << "places of ids that no listing holds";
  }

 private:
  using Listing = std::map<std::string, StoredEntry>;

  void reopen() {
    store_.reset();
    index_.reset();
    auto opened = Index::open(dir_.path());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    index_ = *std::move(opened);
    store_ = std::make_unique<TreeStore>(*index_);
    volume_ = *store_->open_volume("volume");
  }

  NodeId fresh_id() {
    const NodeId id = *store_->allocate_nodes(volume_, 1);
    EXPECT_GT(id, last_id_);
    last_id_ = id;
    return id;
  }

  StoredEntry fresh(std::string name) {
    StoredEntry entry = testing::random_entry(random_, std::move(name), fresh_id());
    entry.remote.type = NodeType::file;
    return entry;
  }

  DirectoryHeader fresh_header(std::size_t entries) {
    return {.listed_wall_ns = static_cast<std::int64_t>(random_()),
            .validator = std::to_string(random_()),
            .entries = entries,
            .refused = random_() % 3};
  }

  // Drops some names, renames some, gives some a new id, adds `more`.
  void replace(NodeId directory, std::size_t more) {
    Listing now;
    for (auto& [name, entry] : directories_[directory]) {
      const auto dice = random_() % 20;
      if (dice == 0) continue;
      StoredEntry kept = dice == 1 ? fresh(name) : entry;
      if (dice == 2) kept.remote.name = testing::random_name(random_);
      now.emplace(kept.remote.name, kept);
    }
    for (std::size_t n = 0; n < more; ++n) {
      std::string name = testing::random_name(random_);
      if (!now.contains(name)) now.emplace(name, fresh(name));
    }
    std::vector<StoredEntry> sorted;
    for (const auto& [name, entry] : now) sorted.push_back(entry);
    const auto header = fresh_header(sorted.size());
    const Status status = store_->replace(volume_, directory, header, sorted);
    ASSERT_TRUE(status.ok()) << status.error().message;
    directories_[directory] = std::move(now);
    headers_[directory] = header;
  }

  void update_header(NodeId directory) {
    if (!headers_.contains(directory)) return;
    headers_[directory] = fresh_header(directories_[directory].size());
    ASSERT_TRUE(store_->update_header(volume_, directory, headers_[directory]).ok());
  }

  void update_entry(NodeId directory) {
    Listing& listing = directories_[directory];
    if (!headers_.contains(directory)) replace(directory, 5);
    if (listing.empty()) return;
    const auto at =
        std::next(listing.begin(), static_cast<std::ptrdiff_t>(random_() % listing.size()));
    const NodeId old_id = at->second.id;
    at->second = fresh(at->first);
    if (random_() % 2 == 0) at->second.id = old_id;
    if (random_() % 8 == 0) at->second.remote.token = std::string(4'000, 't');
    ASSERT_TRUE(store_->update_entry(volume_, directory, at->second).ok());
  }

  void forget(NodeId directory) {
    ASSERT_TRUE(store_->forget(volume_, directory).ok());
    ASSERT_EQ(*store_->header(volume_, directory), std::nullopt);
    ASSERT_TRUE(store_->entries(volume_, directory)->empty());
    directories_.erase(directory);
    headers_.erase(directory);
  }

  lazyvol::testing::TempDir dir_;
  std::mt19937_64 random_;
  std::unique_ptr<Index> index_;
  std::unique_ptr<TreeStore> store_;
  VolumeId volume_ = 0;
  NodeId last_id_ = kRootNode;
  std::map<NodeId, Listing> directories_;
  std::map<NodeId, DirectoryHeader> headers_;
};

class TreeProperty : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(TreeProperty, BehavesLikeMaps) {
  Model model(GetParam());
  for (int step = 0; step < 120; ++step) {
    ASSERT_NO_FATAL_FAILURE(model.step()) << "step " << step;
    if (step % 10 != 9) continue;
    ASSERT_NO_FATAL_FAILURE(model.check()) << "step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, TreeProperty, ::testing::Range<std::uint64_t>(1, 7));

}  // namespace
}  // namespace lazyvol::cache
