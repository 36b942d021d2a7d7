#include "fuse/convert.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace lazyvol::fuse {
namespace {

TEST(Convert, StatHasTypePermissionsAndTimes) {
  Attributes attributes;
  attributes.id = 42;
  attributes.type = NodeType::symlink;
  attributes.mode = 0777;
  attributes.size = 513;
  attributes.mtime_ns = 1'600'000'000'123'456'789;
  const struct stat out = to_stat(attributes);
  EXPECT_EQ(out.st_ino, 42u);
  EXPECT_TRUE(S_ISLNK(out.st_mode));
  EXPECT_EQ(out.st_mode & 07777, 0777u);
  EXPECT_EQ(out.st_blocks, 2);
  EXPECT_EQ(out.st_mtim.tv_sec, 1'600'000'000);
  EXPECT_EQ(out.st_mtim.tv_nsec, 123'456'789);
}

TEST(Convert, TimesBeforeTheEpochKeepNanosecondsPositive) {
  Attributes attributes;
  attributes.mtime_ns = -1;
  const struct stat out = to_stat(attributes);
  EXPECT_EQ(out.st_mtim.tv_sec, -1);
  EXPECT_EQ(out.st_mtim.tv_nsec, 999'999'999);
}

TEST(Convert, TimeoutsAreSecondsAndBounded) {
  EXPECT_DOUBLE_EQ(to_seconds(std::chrono::milliseconds(1500)), 1.5);
  EXPECT_DOUBLE_EQ(to_seconds(std::chrono::milliseconds(-5)), 0);
  EXPECT_DOUBLE_EQ(to_seconds(std::chrono::milliseconds::max()), 365.0 * 86400);
}

TEST(Convert, EntryCarriesBothTimeouts) {
  Node node;
  node.attributes.id = 7;
  node.entry_ttl = std::chrono::seconds(2);
  node.attribute_ttl = std::chrono::seconds(3);
  const fuse_entry_param entry = to_entry(node);
  EXPECT_EQ(entry.ino, 7u);
  EXPECT_DOUBLE_EQ(entry.entry_timeout, 2);
  EXPECT_DOUBLE_EQ(entry.attr_timeout, 3);
}

}  // namespace
}  // namespace lazyvol::fuse
