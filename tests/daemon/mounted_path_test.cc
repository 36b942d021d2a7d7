#include "daemon/mounted_path.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "support/temp_dir.h"

namespace lazyvol::daemon {
namespace {

// Lines as the kernel writes them; the third mount is a bind of a directory of the second.
const char* const kTable =
    "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
    "40 22 0:50 / /mnt/vol ro,nosuid,nodev shared:7 master:2 - fuse.lazyvol http://h/d/ "
    "ro,user_id=0\n"
    "41 22 0:50 /sub/dir /srv/bound ro - fuse.lazyvol http://h/d/ ro\n"
    "42 22 0:51 / /mnt/with\\040space\\134x ro - fuse.lazyvol /a\\040b ro\n"
    "43 40 0:52 / /mnt/vol/inner rw - tmpfs tmpfs rw\n"
    "44 22 0:53 / /mnt/over rw - ext4 /dev/vdb rw\n"
    "45 44 0:54 / /mnt/over ro - fuse.lazyvol file:///z ro\n";

struct Case {
  const char* path;
  const char* mountpoint;  ///< nullptr: not on a lazyvol mount
  const char* inside;
};

class FindMountedPath : public ::testing::TestWithParam<Case> {};

TEST_P(FindMountedPath, Answers) {
  const auto found = find_mounted_path(fuse::parse_mount_info(kTable), GetParam().path);
  if (GetParam().mountpoint == nullptr) {
    ASSERT_FALSE(found.ok());
    EXPECT_EQ(found.error().code, Code::invalid_argument);
    return;
  }
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->mountpoint, GetParam().mountpoint);
  EXPECT_EQ(found->path, GetParam().inside);
}

INSTANTIATE_TEST_SUITE_P(
    Paths, FindMountedPath,
    ::testing::Values(Case{"/mnt/vol", "/mnt/vol", ""}, Case{"/mnt/vol/a/b", "/mnt/vol", "a/b"},
                      Case{"/mnt/volume", nullptr, ""}, Case{"/", nullptr, ""},
                      Case{"/mnt/vol/inner/x", nullptr, ""},
                      Case{"/srv/bound", "/mnt/vol", "sub/dir"},
                      Case{"/srv/bound/f", "/mnt/vol", "sub/dir/f"},
                      Case{"/mnt/over/f", "/mnt/over", "f"},
                      Case{"/mnt/with space\\x/f", "/mnt/with space\\x", "f"}));

TEST(AbsolutePath, ResolvesWhatExistsAndKeepsWhatDoesNot) {
  testing::TempDir temp;
  const auto root = std::filesystem::canonical(temp.path());
  std::filesystem::create_directory(root / "real");
  std::filesystem::create_directory_symlink(root / "real", root / "link");
  EXPECT_EQ(absolute_path((root / "link").string() + "/"), (root / "real").string());
  EXPECT_EQ(absolute_path((root / "link" / "missing").string()), (root / "real/missing").string());
  EXPECT_EQ(absolute_path("/no/such/../place/"), "/no/place");
}

}  // namespace
}  // namespace lazyvol::daemon
