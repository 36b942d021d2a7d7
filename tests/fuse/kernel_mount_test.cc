#include "fuse/kernel_mount.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace lazyvol::fuse {
namespace {

TEST(Unmount, WhatIsNotMountedIsNotFound) {
  const testing::TempDir dir;
  const Status status = unmount_path(dir.path(), false);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::not_found);
}

}  // namespace
}  // namespace lazyvol::fuse
