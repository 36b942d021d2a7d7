#include "fuse/mount_info.h"

#include <gtest/gtest.h>

namespace lazyvol::fuse {
namespace {

// Lines as the kernel writes them; the third mount is a bind of a directory of the second.
const char* const kTable =
    "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
    "40 22 0:50 / /mnt/vol ro,nosuid,nodev shared:7 master:2 - fuse.lazyvol http://h/d/ "
    "ro,user_id=0\n"
    "41 22 0:50 /sub/dir /srv/bound ro - fuse.lazyvol http://h/d/ ro\n"
    "42 22 0:51 / /mnt/with\\040space\\134x ro - fuse.lazyvol /a\\040b ro\n"
    "broken line\n"
    "36 35 98:0 / /no/hyphen rw master:1\n"
    "44 22 0:53 / /mnt/over rw - ext4 /dev/vdb rw\n"
    "45 44 0:54 / /mnt/over ro - fuse.lazyvol file:///z ro\n";

TEST(MountInfo, ReadsFieldsAndEscapesAndLeavesOutTheRest) {
  const auto mounts = parse_mount_info(kTable);
  ASSERT_EQ(mounts.size(), 6u);
  EXPECT_FALSE(mounts[0].lazyvol());
  EXPECT_EQ(mounts[0].type, "ext4");
  EXPECT_EQ(mounts[1].device, "0:50");
  EXPECT_EQ(mounts[1].mountpoint, "/mnt/vol");
  EXPECT_EQ(mounts[1].source, "http://h/d/");
  EXPECT_TRUE(mounts[1].lazyvol());
  EXPECT_EQ(mounts[2].root, "/sub/dir");
  EXPECT_EQ(mounts[3].mountpoint, "/mnt/with space\\x");
  EXPECT_EQ(mounts[3].source, "/a b");
  EXPECT_TRUE(parse_mount_info("").empty());
}

TEST(MountInfo, TheLastOneMadeIsTheVisibleOne) {
  const auto mounts = parse_mount_info(kTable);
  ASSERT_NE(mount_at(mounts, "/mnt/over"), nullptr);
  EXPECT_EQ(mount_at(mounts, "/mnt/over")->source, "file:///z");
  EXPECT_EQ(mount_at(mounts, "/mnt"), nullptr);
}

TEST(MountInfo, ProcIsMounted) {
  const auto mounts = read_mount_info();
  ASSERT_TRUE(mounts.ok());
  EXPECT_NE(mount_at(*mounts, "/proc"), nullptr);
}

}  // namespace
}  // namespace lazyvol::fuse
