// A published volume through nginx, the daemon and the kernel.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "daemon/cli.h"
#include "daemon/control_client.h"
#include "e2e/world.h"
#include "support/servers.h"
#include "support/temp_dir.h"
#include "volume/published_origin.h"

namespace lazyvol::e2e {
namespace {

using daemon::json_number;
using daemon::json_text;
using testing::noise;
using testing::read_file;
using testing::write_file;

class Published : public ::testing::Test {
 protected:
  Published() {
    origin_.put("dir/one", noise(400'000, 1));
    origin_.put("dir/two", "small");
    origin_.put("top", "old");
    origin_.at("dir/two").xattrs = {{"user.note", "hello"}};
    origin_.at("dir/two").mtime_ns = 1'600'000'000'123'456'789;
    origin_.link("dir/two", "hard");
    origin_.put_symlink("link", "dir/two");
    for (int i = 0; i < 2000; ++i) origin_.put("big/name-" + std::to_string(i), "");
    origin_.publish();
  }
  std::string at(const std::string& path) const { return (world_.mountpoint / path).string(); }
  void refresh() {
    const Ran ran = lazyvol({"refresh", world_.mountpoint.string()});
    ASSERT_EQ(ran.status, 0) << ran.err;
  }
  std::size_t count_names(const std::string& path) const {
    std::size_t names = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(at(path))) {
      ++names;
    }
    return names;
  }

  World world_;
  testing::PublishedOrigin origin_{world_.origin};
  testing::Nginx nginx_{world_.origin};
};

TEST_F(Published, ShowsWhatWasPublished) {
  world_.must_mount(nginx_.url());
  EXPECT_TRUE(read_file(at("dir/one")) == noise(400'000, 1));
  EXPECT_EQ(read_file(at("link")), "small");
  struct stat two {
  }, hard{};
  ASSERT_EQ(stat(at("dir/two").c_str(), &two), 0);
  ASSERT_EQ(stat(at("hard").c_str(), &hard), 0);
  EXPECT_EQ(two.st_ino, hard.st_ino);
  EXPECT_EQ(two.st_nlink, 2U);
  EXPECT_EQ(two.st_mtim.tv_nsec, 123'456'789);
  char value[16] = {};
  ASSERT_EQ(getxattr(at("dir/two").c_str(), "user.note", value, sizeof value), 5);
  EXPECT_STREQ(value, "hello");
  EXPECT_EQ(getxattr(at("top").c_str(), "user.note", value, sizeof value), -1);
  EXPECT_EQ(errno, ENODATA);
  EXPECT_EQ(count_names("big"), 2000U);
  EXPECT_EQ(stat(at("nothing").c_str(), &two), -1);
  EXPECT_EQ(errno, ENOENT);

  const auto status = world_.status();
  EXPECT_EQ(json_text(status, "/mounts/0/layout"), "published");
  EXPECT_EQ(json_number(status, "/mounts/0/published/sequence"), 1U);
  EXPECT_EQ(json_text(status, "/mounts/0/published/signer"), origin_.key_text());
  const Ran text = lazyvol({"status"});
  EXPECT_NE(text.out.find("revision  1, "), std::string::npos) << text.out;
}

TEST_F(Published, ARefreshIsSeenAtOnceAndOpenFilesStay) {
  world_.must_mount(nginx_.url(), "refresh=never");
  EXPECT_EQ(read_file(at("top")), "old");
  EXPECT_EQ(count_names("big"), 2000U);
  EXPECT_NE(access(at("fresh").c_str(), F_OK), 0);
  const int held = open(at("dir/one").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(held, 0);
  for (int round = 0; round < 5; ++round) {
    const std::string stamp = "round " + std::to_string(round);
    origin_.put("top", stamp);
    origin_.put("dir/one", noise(300'000, 10 + static_cast<unsigned>(round)));
    origin_.put("fresh", stamp);
    origin_.remove("big/name-" + std::to_string(round));
    origin_.publish();
    refresh();
    // The notifications travel on threads of their own.
    EXPECT_TRUE(eventually([&] { return read_file(at("top")) == stamp; }));
    EXPECT_TRUE(eventually([&] { return access(at("fresh").c_str(), F_OK) == 0; }));
    EXPECT_EQ(read_file(at("fresh")), stamp);
    EXPECT_TRUE(
        eventually([&] { return count_names("big") == 1999U - static_cast<unsigned>(round); }));
  }
  std::string bytes(400'000, '\0');
  EXPECT_EQ(pread(held, bytes.data(), bytes.size(), 0), 400'000);
  EXPECT_TRUE(bytes == noise(400'000, 1)) << "what is open keeps its bytes";
  struct stat info {};
  EXPECT_EQ(fstat(held, &info), 0);
  EXPECT_EQ(info.st_size, 400'000);
  close(held);
}

TEST_F(Published, SighupLooksForANewRevision) {
  world_.must_mount(nginx_.url(), "refresh=never");
  origin_.put("top", "new");
  origin_.publish();
  const pid_t daemon = world_.daemon_pid();
  ASSERT_GT(daemon, 0);
  ASSERT_EQ(kill(daemon, SIGHUP), 0);
  EXPECT_TRUE(eventually([&] { return read_file(at("top")) == "new"; }));
}

TEST_F(Published, LooksByItself) {
  world_.must_mount(nginx_.url(), "refresh=100ms");
  origin_.put("top", "new");
  origin_.publish();
  EXPECT_TRUE(eventually([&] { return read_file(at("top")) == "new"; }));
}

TEST_F(Published, RefusesWithOneLine) {
  const Ran wrong_key = world_.mount(nginx_.url(), "key=ed25519:" + std::string(64, '0'));
  EXPECT_NE(wrong_key.status, 0);
  expect_one_line(wrong_key.err);
  EXPECT_NE(wrong_key.err.find(origin_.key_text()), std::string::npos) << wrong_key.err;
  origin_.put("top", "new");
  origin_.publish();
  world_.must_mount(nginx_.url());
  ASSERT_EQ(world_.umount().status, 0);
  origin_.replay(1);
  const Ran replayed = world_.mount(nginx_.url());
  EXPECT_NE(replayed.status, 0);
  expect_one_line(replayed.err);
  EXPECT_NE(replayed.err.find("older than 2"), std::string::npos) << replayed.err;
  const Ran files = world_.mount(nginx_.url(), "layout=files,mirror=" + nginx_.url());
  EXPECT_NE(files.status, 0);
  EXPECT_NE(files.err.find("mirror"), std::string::npos) << files.err;
}

TEST_F(Published, MountsWithoutItsOrigin) {
  world_.must_mount(nginx_.url());
  ASSERT_EQ(lazyvol({"prefetch", world_.mountpoint.string()}).status, 0);
  world_.restart();
  nginx_.stop();
  world_.must_mount(nginx_.url(), "io-timeout=2");
  EXPECT_TRUE(read_file(at("dir/one")) == noise(400'000, 1));
  EXPECT_EQ(count_names("big"), 2000U);
  nginx_.start();
}

// What stands where the head should be decides whether this is a volume at all.
TEST_F(Published, AHeadThatIsNoneIsNotMountedAsFiles) {
  for (const char* damaged : {"", "junk\n"}) {
    write_file(world_.origin / "lazyvol-head", damaged);
    const Ran refused = world_.mount(nginx_.url());
    EXPECT_EQ(refused.status, daemon::kExitMountFailure) << damaged;
    expect_one_line(refused.err);
    EXPECT_NE(refused.err.find("/lazyvol-head begins like no head"), std::string::npos)
        << refused.err;
  }
  write_file(world_.origin / "lazyvol-head", "<html>what some servers say of all names</html>");
  world_.must_mount(nginx_.url());
  EXPECT_TRUE(std::filesystem::exists(at("packs")));
}

}  // namespace
}  // namespace lazyvol::e2e
