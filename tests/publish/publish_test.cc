#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "publish/publish_fixture.h"

namespace lazyvol::publish {

namespace {

namespace fs = std::filesystem;
using lazyvol::testing::noise;
using lazyvol::testing::write_file;

TEST_F(PublishFixture, AnEmptyTree) {
  const PublishReport report = publish_and_check();
  EXPECT_EQ(report.sequence, 1U);
  EXPECT_TRUE(report.changed);
  EXPECT_EQ(report.entries, 0U);
  EXPECT_EQ(report.objects_written, 2U) << "a head and its revision";
  const PublishReport again = publish_and_check();
  EXPECT_FALSE(again.changed);
  EXPECT_EQ(again.sequence, 1U);
}

TEST_F(PublishFixture, ASmallTree) {
  write_file(tree_ / "hello", "hi\n");
  write_file(tree_ / "empty", "");
  write_file(tree_ / "doc/small", noise(5'000, 1));
  write_file(tree_ / "doc/long", noise(3'000'000, 2));
  fs::create_directories(tree_ / "doc/nothing");
  fs::create_symlink("../hello", tree_ / "doc/link");
  const PublishReport report = publish_and_check();
  EXPECT_EQ(report.entries, 7U);
  EXPECT_EQ(report.files, 4U);
  EXPECT_EQ(report.directories, 2U);
  EXPECT_EQ(report.symlinks, 1U);
  EXPECT_EQ(report.bytes, 3'005'003U);
  EXPECT_EQ(report.files_read, 4U);
  EXPECT_GT(report.data_bytes, 3'005'000U) << "noise cannot be compressed";
  expect_sound_packs(*store_);
  const auto entries = entries_of(*store_);
  // Breadth first, in byte order of names.
  EXPECT_EQ(entries.at("doc").id, 2U);
  EXPECT_EQ(entries.at("empty").id, 3U);
  EXPECT_EQ(entries.at("hello").id, 4U);
  EXPECT_EQ(entries.at("doc/link").id, 5U);
  EXPECT_EQ(entries.at("doc/small").id, 8U);
  EXPECT_EQ(entries.at("doc").nlink, 3U);
}

}  // namespace
}  // namespace lazyvol::publish
