// What changed, as names.
#include <gtest/gtest.h>

#include "publish/memory_store.h"
#include "publish/sample_volume.h"
#include "publish/volume_diff.h"
#include "support/temp_dir.h"

namespace lazyvol::publish {
namespace {

using lazyvol::testing::noise;
using Lines = std::vector<std::string>;

class Diff : public ::testing::Test {
 protected:
  Diff() : volume_(store_) {
    for (const char* name : {"a", "b"}) {
      volume_.make_directory(name);
      for (int i = 0; i < 100; ++i) {
        volume_.write(name + ("/f" + std::to_string(i)), noise(500, i));
      }
    }
    before_ = publish();
  }
  catalog::Head publish() {
    const auto head = volume_.publish(store_.now_ns);
    EXPECT_TRUE(head.ok()) << head.error().message;
    return head->head;
  }
  /// "KIND path" of each change since the fixture's revision.
  Lines changes() { return between(before_, publish()); }
  Lines between(const catalog::Head& before, const catalog::Head& after) {
    Lines lines;
    const auto visit = [&](const NameChange& change) -> Status {
      const std::string letter(1, "+-MAR"[static_cast<int>(change.kind)]);
      lines.push_back(letter + " " + (change.old_path.empty() ? "" : change.old_path + " -> ") +
                      change.path);
      return {};
    };
    const Status status = diff_revisions(store_, before, after, visit, {});
    EXPECT_TRUE(status.ok()) << status.error().message;
    return lines;
  }
  MemoryStore store_;
  SampleVolume volume_;
  catalog::Head before_;
};

TEST_F(Diff, NothingAndItself) {
  EXPECT_EQ(changes(), Lines{});
}

TEST_F(Diff, EachKind) {
  volume_.write("a/f1", "other");
  volume_.set_mode("a/f2", 0600);
  volume_.remove("a/f3");
  volume_.write("b/new", "new");
  EXPECT_EQ(changes(), (Lines{"M a/f1", "A a/f2", "- a/f3", "+ b/new"}));
}

TEST_F(Diff, AMovedFileAndAMovedDirectory) {
  volume_.move("a/f1", "b/moved");
  volume_.move("b", "c");
  EXPECT_EQ(changes(), (Lines{"R b -> c", "R a/f1 -> c/moved"}));
}

TEST_F(Diff, AMovedFileThatAlsoChanged) {
  volume_.move("a/f1", "a/g1");
  volume_.write("a/g1", "other");
  EXPECT_EQ(changes(), (Lines{"R a/f1 -> a/g1", "M a/g1"}));
}

TEST_F(Diff, TwoFilesThatChangedPlaces) {
  volume_.move("a/f1", "a/tmp");
  volume_.move("a/f2", "a/f1");
  volume_.move("a/tmp", "a/f2");
  EXPECT_EQ(changes(), (Lines{"R a/f2 -> a/f1", "R a/f1 -> a/f2"}));
}

TEST_F(Diff, AFileInPlaceOfAnother) {
  volume_.remove("a/f1");
  volume_.write("a/f1", "other");
  EXPECT_EQ(changes(), Lines{"M a/f1"});
}

TEST_F(Diff, AFileInPlaceOfOneThatMoved) {
  volume_.move("a/f1", "a/g1");
  volume_.write("a/f1", "new");
  EXPECT_EQ(changes(), (Lines{"+ a/f1", "R a/f1 -> a/g1"}));
}

TEST_F(Diff, LinksComeAndGoAndMoveNothing) {
  volume_.link("b/link", "a/f1");
  EXPECT_EQ(changes(), (Lines{"A a/f1", "+ b/link"}));
  const catalog::Head linked = publish();
  volume_.remove("a/f1");
  EXPECT_EQ(between(linked, publish()), (Lines{"- a/f1", "A b/link"}));
}

TEST_F(Diff, ARemovedDirectory) {
  volume_.remove("a");
  const Lines lines = changes();
  EXPECT_EQ(lines.size(), 101U);
  EXPECT_EQ(lines.front(), "- a");
  EXPECT_EQ(lines.back(), "- a/f99");
}

TEST_F(Diff, CostsTheChangedPages) {
  volume_.write("a/f1", "other");
  const catalog::Head after = publish();
  store_.reads = 0;
  EXPECT_EQ(between(before_, after).size(), 1U);
  EXPECT_LT(store_.reads, 20U);
}

TEST_F(Diff, TwoVolumesAreRefused) {
  catalog::Head other = before_;
  other.volume.fill(9);
  const Status status =
      diff_revisions(store_, before_, other, [](const NameChange&) { return Status(); }, {});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::invalid_argument);
}

}  // namespace
}  // namespace lazyvol::publish
