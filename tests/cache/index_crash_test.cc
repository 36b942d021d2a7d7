// A process that writes and dies by kill -9: what was acknowledged is there, and no id comes twice.
#include <gtest/gtest.h>

#include <fstream>

#include "cache/tree_store.h"
#include "child_process.h"
#include "support/temp_dir.h"

namespace lazyvol::cache {
namespace {

constexpr NodeId kDirectory = 1;
constexpr std::size_t kNames = 300;

// Lists the directory over and over with fresh ids; after each listing is accepted, its first id
// goes to a file that the parent reads.
TEST(IndexCrashChild, DISABLED_ListsForEver) {
  const auto dir = testing::child_argument();
  auto index = Index::open(dir);
  ASSERT_TRUE(index.ok()) << index.error().message;
  TreeStore store(**index);
  const VolumeId volume = *store.open_volume("volume");
  std::ofstream accepted(dir / "accepted", std::ios::app);
  for (int round = 0;; ++round) {
    const NodeId first = *store.allocate_nodes(volume, kNames);
    std::vector<StoredEntry> entries(kNames);
    for (std::size_t n = 0; n < kNames; ++n) {
      entries[n].remote.name = "name-" + std::to_string(1000 + n);
      entries[n].remote.size = first;
      entries[n].id = first + n;
    }
    DirectoryHeader header;
    header.listed_wall_ns = static_cast<std::int64_t>(first);
    ASSERT_TRUE(store.replace(volume, kDirectory, header, entries).ok());
    accepted << first << std::endl;
    if (round % 20 == 19) testing::child_ready();
  }
}

class IndexCrash : public ::testing::Test {
 protected:
  NodeId last_accepted() {
    std::ifstream in(dir_.path() / "accepted");
    NodeId last = 0;
    for (NodeId id = 0; in >> id;) {
      EXPECT_GE(id, last + (last == 0 ? 0 : kNames)) << "ids were handed out twice";
      last = id;
    }
    return last;
  }
  // Answers with the first id of the listing, which must be one whole listing.
  NodeId listed() {
    auto index = Index::open(dir_.path());
    EXPECT_TRUE(index.ok()) << index.error().message;
    TreeStore store(**index);
    const VolumeId volume = *store.open_volume("volume");
    const auto entries = *store.entries(volume, kDirectory);
    EXPECT_EQ(entries.size(), kNames);
    const auto header = *store.header(volume, kDirectory);
    for (const auto& entry : entries) {
      EXPECT_EQ(entry.id, entries.front().id + static_cast<NodeId>(&entry - entries.data()));
      EXPECT_EQ(entry.remote.size, entries.front().id);
      EXPECT_EQ((*store.place(volume, entry.id))->name, entry.remote.name);
    }
    EXPECT_EQ(header->listed_wall_ns, static_cast<std::int64_t>(entries.front().id));
    return entries.front().id;
  }

  lazyvol::testing::TempDir dir_;
};

TEST_F(IndexCrash, KilledWritersLoseNothingThatWasAccepted) {
  for (int life = 0; life < 8; ++life) {
    testing::ChildProcess child("IndexCrashChild.DISABLED_ListsForEver", dir_.path());
    for (int n = 0; n <= life % 4; ++n) ASSERT_NO_FATAL_FAILURE(child.wait_ready());
    child.kill();
    ASSERT_GE(listed(), last_accepted());
  }
  for (const auto& file : std::filesystem::directory_iterator(dir_.path())) {
    EXPECT_FALSE(file.path().filename().string().starts_with("index.damaged")) << file.path();
  }
}

}  // namespace
}  // namespace lazyvol::cache
