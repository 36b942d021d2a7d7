// Going through a live directory file by file.
#include "volume/sibling_readahead.h"

#include "volume_fixture.h"

namespace lazyvol::testing {
namespace {

class Siblings : public VolumeTest {
 protected:
  static constexpr int kFiles = 300;
  static std::string name(int number) { return "f" + std::to_string(1'000 + number); }
  static std::string path(int number) { return "d/" + name(number); }
  void fill(int size = 3'000) {
    source().put_directory("d");
    for (int i = 0; i < kFiles; ++i) {
      source().put(path(i), std::string(static_cast<std::size_t>(size), 'x') + name(i), "v1");
    }
  }
  void read(int number) {
    const std::string bytes = content(id_of(path(number)));
    EXPECT_TRUE(bytes.ends_with(name(number))) << bytes.substr(0, 60);
  }
  std::uint64_t reads() { return source().count(Op::read); }
  /// Waits until nothing is fetched ahead any more.
  void rest() {
    await([&] { return stack().volume().stats().fetch.in_flight_requests == 0; });
    settle();
  }
};

TEST_F(Siblings, FilesInOrderAreFetchedAheadOnceEach) {
  fill();
  open();
  for (int i = 0; i < 3; ++i) read(i);
  await([&] { return reads() == 3 + volume::SiblingReadahead::kFirstFiles; });
  for (int i = 3; i < kFiles; ++i) read(i);
  EXPECT_EQ(reads(), static_cast<std::uint64_t>(kFiles));
  EXPECT_EQ(source().count(Op::read, path(200)), 1U);
}

TEST_F(Siblings, InTheNextDirectoryThereIsAStreamFromTheFirstFile) {
  fill();
  for (const char* directory : {"a", "e"}) {
    source().put_directory(directory);
    for (int i = 0; i < 100; ++i) source().put(directory + ("/" + name(i)), name(i), "v1");
  }
  open();
  for (int i = 0; i < kFiles; ++i) read(i);
  rest();
  const std::uint64_t before = reads();
  EXPECT_EQ(content(id_of("a/" + name(0))), name(0)) << "which does not come next";
  rest();
  EXPECT_EQ(reads(), before + 1);
  EXPECT_EQ(content(id_of("e/" + name(0))), name(0));
  await([&] { return reads() == before + 1 + 100; });
}

TEST_F(Siblings, SoItIsWhereListingsTellNoSizes) {
  use_inexact_listings();
  fill();
  open();
  for (int i = 0; i < kFiles; ++i) read(i);
  EXPECT_EQ(reads(), static_cast<std::uint64_t>(kFiles));
  EXPECT_LE(source().count(Op::stat), static_cast<std::uint64_t>(kFiles) * 5 / 4);
}

TEST_F(Siblings, TwoFilesAndFilesInNoOrderBringNothingElse) {
  fill();
  open();
  read(100);
  read(101);
  for (int i = kFiles - 1; i > 110; i -= 7) read(i);
  const std::uint64_t asked = reads();
  rest();
  EXPECT_EQ(reads(), asked);
  EXPECT_EQ(asked, 2U + (kFiles - 1 - 110 + 6) / 7);
}

TEST_F(Siblings, WhoPassesSomeFilesOverIsFollowed) {
  fill();
  open();
  for (int i = 0; i < kFiles; i += 3) read(i);
  rest();
  EXPECT_GT(reads(), 200U);
  EXPECT_LE(reads(), static_cast<std::uint64_t>(kFiles));
}

TEST_F(Siblings, WhatIsCachedIsNotFetchedAgain) {
  fill();
  open();
  for (int i = 0; i < kFiles; ++i) read(i);
  for (int i = 0; i < kFiles; ++i) read(i);
  rest();
  EXPECT_EQ(reads(), static_cast<std::uint64_t>(kFiles));
}

TEST_F(Siblings, LongFilesAreLeftToTheirReaders) {
  fill();
  source().put(path(5), std::string(2 << 20, 'y'), "v1");
  open();
  for (int i = 0; i < 4; ++i) read(i);
  rest();
  EXPECT_GT(reads(), 4U);
  EXPECT_EQ(source().count(Op::read, path(5)), 0U);
}

TEST_F(Siblings, OneThatFailsHarmsNoOther) {
  fill();
  source().fail(Op::read, path(6), Code::access_denied);
  open();
  for (int i = 0; i < 20; ++i) {
    if (i != 6) read(i);
  }
  EXPECT_EQ(content(id_of(path(6))), "read: access_denied");
}

TEST_F(Siblings, IsTurnedOffWithPrefetch) {
  fill();
  model::MountOptions options;
  options.prefetch = false;
  open(options);
  for (int i = 0; i < 20; ++i) read(i);
  rest();
  EXPECT_EQ(reads(), 20U);
}

TEST_F(Siblings, AVolumeStopsWhileItFetches) {
  fill();
  open();
  for (int i = 0; i < 10; ++i) read(i);
  stack().close();
}

}  // namespace
}  // namespace lazyvol::testing
