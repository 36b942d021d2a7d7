// Going through a published tree file by file.
#include "published_fixture.h"

namespace lazyvol::testing {
namespace {

class PublishedAhead : public PublishedTest {
 protected:
  static constexpr int kDirectories = 5, kFiles = 100;
  static constexpr std::size_t kBytes = 25'000;  // enough for a frame of its own
  static std::string path(int number) {
    return "d" + std::to_string(number / kFiles) + "/f" + std::to_string(1'000 + number % kFiles);
  }
  void publish() {
    for (int i = 0; i < kDirectories * kFiles; ++i) {
      origin_.put(path(i), noise(kBytes, static_cast<std::uint64_t>(i)));
    }
    origin_.publish();
  }
  /// Lists the directories, so that the catalog is at hand, as who walks a tree does.
  void list() {
    for (int i = 0; i < kDirectories; ++i) {
      EXPECT_EQ(names(origin_.id("d" + std::to_string(i))).size(), kFiles);
    }
  }
  void expect_bytes(int number) {
    const std::string bytes = content(path(number));
    EXPECT_TRUE(bytes == noise(kBytes, static_cast<std::uint64_t>(number))) << bytes.substr(0, 60);
  }
  /// Frames of contents that were fetched, and requests for anything.
  std::uint64_t data_frames() { return published().frames.frames - published().frames.pages; }
};

TEST_F(PublishedAhead, FilesInOrderComeManyAtOnceAcrossDirectories) {
  publish();
  open();
  list();
  const std::uint64_t before = published().frames.requests;
  for (int i = 0; i < kDirectories * kFiles; ++i) expect_bytes(i);
  EXPECT_EQ(data_frames(), kDirectories * kFiles);  // each once
  EXPECT_LE(published().frames.requests - before, 60U);
}

TEST_F(PublishedAhead, ManyReadersHaveAStreamEach) {
  publish();
  open();
  list();
  const std::uint64_t before = published().frames.requests;
  for (int i = 0; i < kFiles; ++i) {
    for (int directory = 0; directory < kDirectories; ++directory) {
      expect_bytes(directory * kFiles + i);
    }
  }
  EXPECT_EQ(data_frames(), kDirectories * kFiles);
  EXPECT_LE(published().frames.requests - before, 120U);
}

TEST_F(PublishedAhead, WhoPassesSomeFilesOverIsFollowed) {
  publish();
  open();
  list();
  const std::uint64_t before = published().frames.requests;
  int opened = 0;
  for (int i = 0; i < kDirectories * kFiles; i += 3, ++opened) expect_bytes(i);
  EXPECT_LE(published().frames.requests - before, static_cast<std::uint64_t>(opened) / 2);
}

TEST_F(PublishedAhead, FilesInNoOrderBringNothingElse) {
  publish();
  open();
  list();
  int opened = 0;
  for (int i = kDirectories * kFiles - 1; i >= 0; i -= 70, ++opened) expect_bytes(i);
  settle();
  EXPECT_EQ(data_frames(), opened);
}

TEST_F(PublishedAhead, IsTurnedOffWithPrefetch) {
  publish();
  model::MountOptions options;
  options.prefetch = false;
  open(options);
  list();
  for (int i = 0; i < 50; ++i) expect_bytes(i);
  settle();
  EXPECT_EQ(data_frames(), 50U);
}

TEST_F(PublishedAhead, WhatFailsAheadHarmsNobody) {
  publish();
  open();
  list();
  expect_bytes(0);
  gate_->fail("packs/", Code::unreachable);
  EXPECT_NE(content(path(1)), noise(kBytes, 1));
  gate_->fail("packs/", std::nullopt);
  // An origin that failed is left alone for a moment.
  EXPECT_TRUE(eventually([&] { return content(path(2)) == noise(kBytes, 2); }));
  for (int i = 0; i < kFiles; ++i) expect_bytes(i);
}

}  // namespace
}  // namespace lazyvol::testing
