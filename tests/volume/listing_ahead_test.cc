// Walking through a live tree directory by directory.
#include "volume/listing_ahead.h"

#include "volume_fixture.h"

namespace lazyvol::testing {
namespace {

class Walks : public VolumeTest {
 protected:
  static constexpr int kTops = 60;
  static constexpr std::uint64_t kAll = 3 * kTops;
  static std::string top(int number) { return "d" + std::to_string(1'000 + number); }
  /// Directories with two directories and a file each.
  void fill() {
    for (int i = 0; i < kTops; ++i) {
      source().put_directory(top(i));
      for (const char* name : {"/x", "/y"}) {
        source().put_directory(top(i) + name);
        source().put(top(i) + name + "/f", "bytes", "v1");
      }
      source().put(top(i) + "/z", "bytes", "v1");
    }
  }
  void list(const std::string& path, std::size_t entries) {
    EXPECT_EQ(names(id_of(path)).size(), entries) << path;
  }
  void walk(int number) {
    list(top(number), 3);
    list(top(number) + "/x", 1);
    list(top(number) + "/y", 1);
  }
  /// Of directories below the root.
  std::uint64_t lists() { return source().count(Op::list) - source().count(Op::list, ""); }
  /// Waits until nothing is asked ahead any more.
  void rest() {
    for (int i = 0; i < 8; ++i) settle();
  }
};

TEST_F(Walks, DirectoriesInOrderAreListedAheadOnceEach) {
  fill();
  open();
  walk(0);
  rest();
  EXPECT_EQ(lists(), 3 + volume::ListingAhead::kFirst);
  for (int i = 1; i < kTops; ++i) walk(i);
  rest();
  EXPECT_EQ(lists(), kAll);
}

TEST_F(Walks, WhatIsBelowComesBeforeWhatFollows) {
  fill();
  open();
  walk(0);
  rest();
  // d1001 … d1004 were listed; of each one that is opened two more are.
  list(top(1), 3);
  rest();
  EXPECT_EQ(source().count(Op::list, top(1) + "/x"), 1U);
  EXPECT_EQ(source().count(Op::list, top(1) + "/y"), 1U);
  EXPECT_EQ(source().count(Op::list, top(2) + "/x"), 0U);
  EXPECT_EQ(source().count(Op::list, top(5)), 0U);
}

TEST_F(Walks, TwoDirectoriesAndDirectoriesInNoOrderBringNothingElse) {
  fill();
  open();
  list(top(20), 3);
  list(top(21), 3);
  for (int i = kTops - 1; i > 30; i -= 7) list(top(i), 3);
  rest();
  EXPECT_EQ(lists(), 2U + (kTops - 1 - 30 + 6) / 7);
}

TEST_F(Walks, WhoDoesNotGoDownIsFollowed) {
  fill();
  open();
  for (int i = 0; i < kTops; ++i) list(top(i), 3);
  rest();
  EXPECT_GE(lists(), static_cast<std::uint64_t>(kTops));
  for (int i = 0; i < kTops; ++i) EXPECT_EQ(source().count(Op::list, top(i)), 1U) << i;
}

TEST_F(Walks, AChainOfDirectoriesIsFollowed) {
  std::string path;
  for (int depth = 0; depth < 40; ++depth) {
    path += (path.empty() ? "c" : "/c");
    source().put_directory(path);
  }
  open();
  path.clear();
  for (int depth = 0; depth < 4; ++depth) {
    path += (path.empty() ? "c" : "/c");
    list(path, 1);
  }
  rest();
  EXPECT_GT(lists(), 4U);
  EXPECT_LE(lists(), 4U + 2 * volume::ListingAhead::kFirst);
}

TEST_F(Walks, WhatIsKnownIsNotAskedAgainUntilItExpires) {
  fill();
  open();
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < kTops; ++i) walk(i);
    rest();
    EXPECT_EQ(lists(), kAll);
  }
  expire();
  EXPECT_EQ(names(kRootNode).size(), static_cast<std::size_t>(kTops));
  for (int i = 0; i < kTops; ++i) walk(i);
  rest();
  EXPECT_EQ(lists(), 2 * kAll);
}

TEST_F(Walks, OneThatFailsHarmsNoOther) {
  fill();
  source().fail(Op::list, top(3), Code::access_denied);
  open();
  for (int i = 0; i < kTops; ++i) {
    if (i != 3) walk(i);
  }
  rest();
  EXPECT_EQ(stack().list(id_of(top(3))).error().code, Code::access_denied);
}

TEST_F(Walks, IsTurnedOffWithPrefetch) {
  fill();
  model::MountOptions options;
  options.prefetch = false;
  open(options);
  walk(0);
  walk(1);
  rest();
  EXPECT_EQ(lists(), 6U);
}

TEST_F(Walks, AVolumeStopsWhileItLists) {
  fill();
  open();
  walk(0);
  walk(1);
  stack().close();
}

}  // namespace
}  // namespace lazyvol::testing
