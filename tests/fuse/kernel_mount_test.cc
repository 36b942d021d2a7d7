#include "fuse/kernel_mount.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace lazyvol::fuse {
namespace {

TEST(Mountinfo, ReadsOptionalFieldsAndEscapes) {
  const auto mounts = parse_mountinfo(
      "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw\n"
      "40 35 0:45 / /a\\040b\\134c ro - fuse.lazyvol https://host/x\\040y ro\n");
  ASSERT_EQ(mounts.size(), 2u);
  EXPECT_EQ(mounts[0].type, "ext3");
  EXPECT_EQ(mounts[0].mountpoint, "/mnt2");
  EXPECT_EQ(mounts[1].device, "0:45");
  EXPECT_EQ(mounts[1].mountpoint, "/a b\\c");
  EXPECT_EQ(mounts[1].source, "https://host/x y");
}

TEST(Mountinfo, LeavesOutLinesOfAnotherShape) {
  EXPECT_TRUE(parse_mountinfo("").empty());
  EXPECT_TRUE(parse_mountinfo("36 35 98:0 /mnt1\n36 35 98:0 / /x rw master:1\n").empty());
}

TEST(Mountinfo, TheRootIsMounted) {
  EXPECT_TRUE(mount_at("/").has_value());
}

TEST(Unmount, WhatIsNotMountedIsNotFound) {
  const testing::TempDir dir;
  const Status status = unmount_path(dir.path(), false);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::not_found);
}

}  // namespace
}  // namespace lazyvol::fuse
