// Going from one revision to the next.
#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "published_fixture.h"
#include "volume/published_refresher.h"

namespace lazyvol::testing {
namespace {

class PublishedRefresh : public PublishedTest {
 protected:
  void publish_some() {
    for (int i = 0; i < 400; ++i) origin_.put("d/file" + std::to_string(i), "old");
    origin_.put("top", "old");
    origin_.put("gone/a", "x");
    origin_.put("kept/b", "x");
    origin_.publish();
  }
};

TEST_F(PublishedRefresh, NothingNewIsOneQuestion) {
  publish_some();
  // A head that was written a moment ago may have been replaced within the same tick: it is read
  // until it is older than that.
  open();
  ASSERT_TRUE(eventually([&] {
    const auto asked = gate_->count("");
    EXPECT_EQ(must_refresh().entries_changed, 0U);
    return gate_->count("") - asked == 1;
  }));
  EXPECT_EQ(told_entries(), Entries{});
  EXPECT_EQ(published().switches, 0U);
}

TEST_F(PublishedRefresh, TellsExactlyWhatChanged) {
  publish_some();
  open();
  ASSERT_EQ(content("d/file7"), "old");
  const NodeId d = origin_.id("d"), gone = origin_.id("gone"), kept = origin_.id("kept");
  origin_.put("d/file7", "new bytes");  // another node
  origin_.at("d/file9").mode = 0600;    // other attributes
  origin_.at("d/file11").xattrs = {{"user.a", "b"}};
  origin_.remove("gone");          // with what is in it
  origin_.put("kept/fresh", "x");  // a new name
  origin_.head().root.mtime_ns = 5;
  origin_.publish();
  const auto report = must_refresh();
  EXPECT_EQ(report.entries_changed, 6U);
  EXPECT_EQ(told_entries(),
            (Entries{{kRootNode, "gone"}, {d, "file7"}, {gone, "a"}, {kept, "fresh"}}));
  std::vector<NodeId> nodes{
      kRootNode, d, gone, kept, origin_.id("d/file9"), origin_.id("d/file11")};
  std::sort(nodes.begin(), nodes.end());
  EXPECT_EQ(told_nodes(), nodes);
  EXPECT_EQ(content("d/file7"), "new bytes");
  EXPECT_EQ(content("kept/fresh"), "x");
  EXPECT_EQ(code_of("gone"), Code::not_found);
  EXPECT_EQ(stack().lookup(gone, "a").error().code, Code::stale)
      << "the kernel looks such a path up again";
  EXPECT_EQ(stack().walk("d/file9")->attributes.mode, 0600U);
  EXPECT_EQ(published().sequence, 2U);
}

TEST_F(PublishedRefresh, OpenFilesAndDirectoriesStayAsTheyAre) {
  publish_some();
  open();
  const NodeId old_id = origin_.id("top");
  const auto file = stack().open_file(old_id);
  const auto directory = stack().list(origin_.id("d"));
  ASSERT_TRUE(file.ok() && directory.ok());
  origin_.put("top", "new bytes");
  for (int i = 0; i < 300; ++i) origin_.remove("d/file" + std::to_string(i));
  origin_.publish();
  must_refresh();
  EXPECT_EQ(bytes_of(**file), "old");
  EXPECT_EQ(content("top"), "new bytes");
  const auto open_node = stack().attributes(old_id);
  ASSERT_TRUE(open_node.ok()) << "fstat of what is open";
  EXPECT_EQ(open_node->attributes.size, 3U);
  EXPECT_EQ(open_node->attribute_ttl.count(), 0);
  EXPECT_TRUE(stack().open_file(old_id).ok());
  EXPECT_EQ(names(**directory).size(), 400U);
  EXPECT_EQ(names(origin_.id("d")).size(), 100U);
  const auto items_of_old = items(**directory);
  EXPECT_EQ(items_of_old->front().node->entry_ttl.count(), 0) << "not to be kept";
}

TEST_F(PublishedRefresh, APageThatCannotBeHadLeavesTheOldRevision) {
  publish_some();
  open();
  origin_.put("d/file7", "new bytes");
  origin_.publish();
  gate_->fail("packs/", Code::unreachable);
  EXPECT_EQ(stack().refresh().error().code, Code::unreachable);
  settle();
  gate_->fail("packs/", std::nullopt);
  EXPECT_EQ(published().sequence, 1U);
  EXPECT_EQ(published().refresh_failures, 1U);
  EXPECT_NE(published().refresh_error.find("planted"), std::string::npos);
  EXPECT_EQ(told_entries(), Entries{});
  // A page that failed a moment ago is not asked for again at once.
  ASSERT_TRUE(eventually([&] { return content("d/file7") == "old"; }));
  ASSERT_TRUE(eventually([&] { return stack().refresh().ok(); }));
  EXPECT_EQ(content("d/file7"), "new bytes");
  EXPECT_EQ(published().refresh_error, "");
}

TEST_F(PublishedRefresh, AHeadThatCannotBeHadIsCounted) {
  publish_some();
  open();
  gate_->fail("lazyvol-head", Code::unreachable);
  EXPECT_EQ(stack().refresh().error().code, Code::unreachable);
  EXPECT_EQ(content("top"), "old");
  EXPECT_EQ(published().refresh_failures, 1U);
  EXPECT_NE(published().refresh_error.find(url_), std::string::npos) << published().refresh_error;
}

TEST_F(PublishedRefresh, WhoAsksMeanwhileSharesTheNextLook) {
  publish_some();
  open();
  origin_.put("top", "second");
  origin_.publish();
  gate_->hold("lazyvol-head");
  Answer<RefreshReport> first, second, third;
  stack().volume().refresh({}, first.done());
  ASSERT_TRUE(eventually([&] { return gate_->waiting() == 1; }));
  stack().volume().refresh({}, second.done());
  std::stop_source stop;
  RequestContext impatient;
  impatient.stop = stop.get_token();
  stack().volume().refresh(impatient, third.done());
  stop.request_stop();
  EXPECT_EQ(third.get().error().code, Code::cancelled);
  gate_->release();
  EXPECT_EQ(first.get()->entries_changed, 1U);
  EXPECT_EQ(second.get()->entries_changed, 0U);
}

TEST_F(PublishedRefresh, ARenamedDirectoryIsTwoNames) {
  publish_some();
  open();
  const NodeId kept = origin_.id("kept");
  origin_.remove("gone");
  origin_.publish();
  must_refresh();
  EXPECT_EQ(stack().attributes(kept)->attributes.id, kept);
  EXPECT_EQ(told_entries().size(), 2U);
}

TEST_F(PublishedRefresh, ASubdirThatVanishesKeepsTheOldRevision) {
  publish_some();
  model::MountOptions options;
  options.subdir = "kept";
  open(options);
  EXPECT_EQ(content("b"), "x");
  origin_.remove("kept");
  origin_.publish();
  const auto report = stack().refresh();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Code::not_found);
  EXPECT_EQ(content("b"), "x");
  origin_.put("kept/c", "y");
  origin_.publish();
  listener_.clear();
  must_refresh();
  EXPECT_EQ(names(kRootNode), std::vector<std::string>{"c"});
  EXPECT_EQ(told_entries(), (Entries{{kRootNode, "b"}, {kRootNode, "c"}}))
      << "both directories are the root of the mount";
}

TEST_F(PublishedRefresh, ARevisionThatIsLostIsLeftWithoutAComparison) {
  publish_some();
  const auto lost = origin_.packs(true);
  open();
  ASSERT_EQ(names(kRootNode).size(), 4U);  // the pages of the root alone are here
  for (int i = 0; i < 400; ++i) origin_.put("d/file" + std::to_string(i), "new bytes");
  origin_.put("fresh", "x");
  origin_.publish();
  const auto kept = origin_.packs(true);
  for (const auto& pack : lost) {
    if (std::find(kept.begin(), kept.end(), pack) == kept.end()) std::filesystem::remove(pack);
  }
  const auto report = stack().refresh();
  ASSERT_TRUE(report.ok()) << report.error().message;
  settle();
  EXPECT_EQ(content("d/file7"), "new bytes");
  EXPECT_EQ(told_nodes(), std::vector<NodeId>{kRootNode});
  EXPECT_EQ(told_entries(), (Entries{{kRootNode, "d"},
                                     {kRootNode, "fresh"},
                                     {kRootNode, "gone"},
                                     {kRootNode, "kept"},
                                     {kRootNode, "top"}}));
}

TEST_F(PublishedRefresh, AHugeDifferenceIsToldPartByPart) {
  constexpr std::size_t kNames = volume::PublishedRefresher::kMaxCollected + 5'000;
  origin_.head().chunking = {15, 14};
  origin_.put("kept", "x");
  for (std::size_t i = 0; i < kNames; ++i) origin_.put("d/" + std::to_string(i), "");
  const NodeId d = origin_.id("d");
  origin_.publish();
  open();
  EXPECT_EQ(code_of("d/7"), Code::busy);
  origin_.remove("d");
  origin_.publish();
  EXPECT_EQ(must_refresh().entries_changed, kNames + 1);
  const auto told = told_entries();
  EXPECT_EQ(told.size(), kNames + 1);
  EXPECT_EQ(told.front(), (std::pair<NodeId, std::string>{kRootNode, "d"}));
  EXPECT_EQ(
      std::count_if(told.begin(), told.end(), [&](const auto& one) { return one.first == d; }),
      static_cast<std::ptrdiff_t>(kNames));
  EXPECT_EQ(code_of("d"), Code::not_found);
}

TEST(PublishedChanges, WhatNobodySeesIsNotTold) {
  const volume::Revision revision({}, nullptr, 0);
  catalog::Entry entry;
  entry.directory = 4;
  entry.name = "f";
  entry.id = 5;
  entry.size = 10;
  catalog::Piece piece;
  piece.frame.hash = catalog::sha256("frame");
  piece.length = 10;
  entry.content = catalog::PieceContent{{piece}};
  catalog::Entry moved = entry;
  std::get<catalog::PieceContent>(moved.content).pieces[0].frame.pack = catalog::sha256("other");
  volume::TreeChanges changes;
  EXPECT_FALSE(volume::add_change(revision, revision, {entry, moved}, changes))
      << "the same bytes in another pack";
  moved.alias = true;
  EXPECT_FALSE(volume::add_change(revision, revision, {entry, moved}, changes));
  EXPECT_TRUE(changes.empty());
  moved.mode = 0700;
  EXPECT_TRUE(volume::add_change(revision, revision, {entry, moved}, changes));
  EXPECT_EQ(changes.nodes, std::vector<NodeId>{5});
}

TEST(PublishedChanges, LooksAreSpreadOut) {
  using std::chrono::milliseconds;
  EXPECT_EQ(volume::next_look(milliseconds(1000), 0), milliseconds(900));
  EXPECT_EQ(volume::next_look(milliseconds(1000), 0.5), milliseconds(1000));
  EXPECT_LE(volume::next_look(milliseconds(1000), 0.999), milliseconds(1100));
}

/// What a revision of the random test shows at a path.
std::string stamp(std::uint64_t revision, const std::string& path) {
  return "revision " + std::to_string(revision) + " of " + path;
}

TEST_F(PublishedRefresh, EveryAnswerIsOfOneRevision) {
  // Every file says its revision; `all` are rewritten by each, `some` by a few.
  constexpr int kRounds = 25;
  const auto edit = [&](std::uint64_t revision, std::mt19937& random) {
    for (int i = 0; i < 8; ++i) {
      const std::string path = "all/" + std::to_string(i);
      origin_.put(path, stamp(revision, path));
    }
    for (int i = 0; i < 200; ++i) {
      if (random() % 20 != 0) continue;
      const std::string path = "some/" + std::to_string(i % 10) + "/" + std::to_string(i);
      if (random() % 4 == 0) {
        origin_.remove(path);
      } else {
        origin_.put(path, stamp(revision, path));
      }
    }
  };
  std::mt19937 random(7);
  edit(1, random);
  origin_.publish();
  open();
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> published{1}, reads{0}, wrong{0};
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&, reader] {
      std::mt19937 mine(static_cast<unsigned>(reader));
      while (!stop) {
        const std::uint64_t least = published;
        const std::string path = "all/" + std::to_string(mine() % 8);
        const std::string bytes = content(path);
        const std::uint64_t most = published + 1;
        // A node id may become stale between the steps of a walk; the kernel walks again then.
        if (bytes == "open: stale" || bytes == "walk: stale") continue;
        bool found = false;
        for (std::uint64_t r = least; r <= most; ++r) found = found || bytes == stamp(r, path);
        if (!found) {
          ++wrong;
          ADD_FAILURE() << bytes << " at " << least << ".." << most;
          return;
        }
        ++reads;
        // One listing is of one revision: its directory says how many names that has.
        const auto directory = stack().walk("all");
        if (directory.ok() && names(directory->attributes.id).size() != 8) {
          ++wrong;
          ADD_FAILURE() << "a listing of two revisions";
          return;
        }
      }
    });
  }
  for (std::uint64_t round = 2; round <= kRounds; ++round) {
    edit(round, random);
    origin_.publish();
    const auto report = stack().refresh();
    ASSERT_TRUE(report.ok()) << report.error().message;
    published = round;
    // The volume is the model, whole.
    for (const auto& [path, id] : origin_.paths()) {
      if (path.empty()) continue;
      const auto node = stack().walk(path);
      ASSERT_TRUE(node.ok()) << path << ": " << node.error().message;
      EXPECT_EQ(node->attributes.id, id) << path;
    }
  }
  stop = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_GT(reads, 0U);
}

TEST_F(PublishedRefresh, WhatIsToldIsWhatTheModelSays) {
  std::mt19937 random(11);
  for (int i = 0; i < 300; ++i)
    origin_.put("d" + std::to_string(i % 9) + "/" + std::to_string(i), "x");
  origin_.publish();
  open();
  for (int round = 0; round < 15; ++round) {
    const auto before = origin_.paths();
    for (int i = 0; i < 300; ++i) {
      if (random() % 30 != 0) continue;
      const std::string path = "d" + std::to_string(i % 9) + "/" + std::to_string(i);
      if (random() % 3 == 0) {
        origin_.remove(path);
      } else {
        origin_.put(path, "round " + std::to_string(round));
      }
    }
    origin_.publish();
    listener_.clear();
    must_refresh();
    Entries expected;
    std::map<std::string, NodeId> all = before;
    all.insert(origin_.paths().begin(), origin_.paths().end());
    for (const auto& [path, id] : all) {
      const bool was = before.contains(path), is = origin_.has(path);
      if (was && is && before.at(path) == origin_.id(path)) continue;
      const auto slash = path.rfind('/');
      expected.emplace_back(origin_.id(path.substr(0, slash)), path.substr(slash + 1));
    }
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(told_entries(), expected);
  }
}

}  // namespace
}  // namespace lazyvol::testing
