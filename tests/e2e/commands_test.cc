// prefetch, evict, refresh, status, cache and mount.lazyvol on a real mount.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "daemon/control_client.h"
#include "e2e/world.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::e2e {
namespace {

namespace fs = std::filesystem;
using daemon::json_number;
using daemon::json_text;
using testing::noise;
using testing::write_file;

class Commands : public ::testing::Test {
 protected:
  Commands() {
    write_file(world_.origin / "dir/one", noise(400'000, 1));
    write_file(world_.origin / "dir/sub dir/two", noise(2 << 20, 2));
    write_file(world_.origin / "other", noise(100'000, 3));
  }
  std::string at(const std::string& path) const { return (world_.mountpoint / path).string(); }

  World world_;
  testing::Nginx nginx_{world_.origin};
};

TEST_F(Commands, PrefetchFetchesAllBelowAndNothingElse) {
  world_.must_mount(nginx_.url());
  const Ran ran = lazyvol({"prefetch", at("dir")});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("2 files"), std::string::npos) << ran.out;
  nginx_.clear_access_log();
  expect_same_tree(world_.origin / "dir", world_.mountpoint / "dir");
  EXPECT_TRUE(content_requests(nginx_).empty());
  EXPECT_EQ(read_errno(at("other")), 0);
  EXPECT_FALSE(content_requests(nginx_).empty());
}

TEST_F(Commands, PrefetchSaysWhatFailed) {
  world_.must_mount(nginx_.url(), "io-timeout=2");
  EXPECT_EQ(tree_of(world_.mountpoint), tree_of(world_.origin));
  nginx_.stop();
  const Ran ran = lazyvol({"prefetch", at("dir")});
  EXPECT_EQ(ran.status, 1);
  expect_one_line(ran.err);
}

TEST_F(Commands, PrefetchSeesThroughABindMount) {
  if (geteuid() != 0) GTEST_SKIP() << "bind mounts need root";
  world_.must_mount(nginx_.url());
  const fs::path bound = world_.mountpoint.parent_path() / "bound";
  fs::create_directory(bound);
  ASSERT_EQ(::mount(at("dir").c_str(), bound.c_str(), nullptr, MS_BIND, nullptr), 0);
  const Ran ran = lazyvol({"prefetch", (bound / "sub dir").string()});
  EXPECT_EQ(umount2(bound.c_str(), 0), 0);
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("1 files"), std::string::npos) << ran.out;
}

TEST_F(Commands, EvictedBytesAreFetchedAgain) {
  world_.must_mount(nginx_.url());
  EXPECT_EQ(read_errno(at("dir/sub dir/two")), 0);
  const Ran ran = lazyvol({"evict", at("dir")});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(world_.umount().status, 0);  // the kernel's pages go, too
  world_.must_mount(nginx_.url());
  nginx_.clear_access_log();
  expect_same_tree(world_.origin, world_.mountpoint);
  bool again = false;
  for (const auto& line : content_requests(nginx_))
    again = again || line.uri == "/dir/sub%20dir/two";
  EXPECT_TRUE(again);
}

TEST_F(Commands, RefreshShowsNewFilesNow) {
  world_.must_mount(nginx_.url(), "metadata-ttl=1d,negative-metadata-ttl=1d");
  EXPECT_FALSE(fs::exists(at("new")));
  EXPECT_EQ(tree_of(world_.mountpoint), tree_of(world_.origin));
  write_file(world_.origin / "new", "news");
  EXPECT_FALSE(fs::exists(at("new")));
  const Ran ran = lazyvol({"refresh", world_.mountpoint.string()});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_TRUE(eventually([&] { return fs::exists(at("new")); }));
  EXPECT_EQ(testing::read_file(at("new")), "news");
}

TEST_F(Commands, StatusCountsWhatHappened) {
  world_.must_mount(nginx_.url());
  EXPECT_EQ(read_errno(at("other")), 0);
  const auto status = world_.status();
  EXPECT_EQ(status["mounts"].size(), 1u);
  EXPECT_EQ(json_text(status, "/mounts/0/mountpoint"), world_.mountpoint.string());
  EXPECT_EQ(json_text(status, "/mounts/0/source"), nginx_.url());
  EXPECT_EQ(json_number(status, "/mounts/0/fetch/bytes_fetched"), 100'000u);
  EXPECT_GT(json_number(status, "/mounts/0/fuse/requests"), 0u);
  EXPECT_EQ(json_text(status, "/cache/dir"), fs::canonical(world_.cache).string());
  const Ran one = lazyvol({"status", at("dir")});
  EXPECT_EQ(one.status, 0) << one.err;
  EXPECT_NE(one.out.find(world_.mountpoint.string()), std::string::npos);
}

TEST_F(Commands, CacheIsCheckedAndTrimmed) {
  world_.must_mount(nginx_.url());
  expect_same_tree(world_.origin, world_.mountpoint);
  const std::string dir = world_.cache.string();
  const Ran check = lazyvol({"cache", "check", "--cache-dir", dir});
  EXPECT_EQ(check.status, 0) << check.err;
  EXPECT_NE(check.out.find("0 damaged"), std::string::npos) << check.out;
  EXPECT_EQ(check.out.find("0 blocks"), std::string::npos) << check.out;
  EXPECT_EQ(lazyvol({"cache", "status", "--cache-dir", dir}).status, 0);
  EXPECT_EQ(world_.umount().status, 0);
  const Ran trim = lazyvol({"cache", "trim", "--cache-dir", dir});
  EXPECT_EQ(trim.status, 0) << trim.err;
  EXPECT_EQ(trim.out.find("0 B freed"), std::string::npos) << trim.out;
}

TEST_F(Commands, CacheSizeOfALaterMountIsApplied) {
  world_.must_mount(nginx_.url());
  EXPECT_EQ(world_.umount().status, 0);
  world_.must_mount(nginx_.url(), "cache-size=256M");
  EXPECT_EQ(json_number(world_.status(), "/cache/limit_bytes"), 256u << 20);
}

TEST_F(Commands, DownloadsKeepToALimitThatCanBeChanged) {
  constexpr std::uint64_t kRate = 8 << 20;
  world_.must_mount(nginx_.url(), "download-limit=8M");
  const auto limit = [&] {
    return json_number(world_.status(), "/limits/download_bytes_per_second/limit");
  };
  EXPECT_EQ(limit(), kRate);
  write_file(world_.origin / "dir/long", noise(12 << 20, 4));
  lazyvol({"refresh", world_.mountpoint.string()});
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(read_errno(at("dir/long")), 0);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  EXPECT_GE(took.count(), 1.3) << "12 MiB at 8 MiB/s, less a burst and what was not waited for";

  const std::string dir = world_.cache.string();
  const auto change = [&](const std::string& options) {
    return lazyvol({"limit", "--cache-dir", dir, options});
  };
  EXPECT_EQ(change("download-limit=1G,cache-size=1G").status, 0);
  EXPECT_EQ(limit(), 1u << 30);
  EXPECT_EQ(json_number(world_.status(), "/cache/limit_bytes"), 1u << 30);
  EXPECT_EQ(change("download-limit=0").status, 0);
  EXPECT_EQ(limit(), 0u);
  for (const char* wrong : {"download-limit=1K", "max-connections=4", "nonsense=1"}) {
    const Ran ran = change(wrong);
    EXPECT_EQ(ran.status, 2) << wrong;
    expect_one_line(ran.err);
  }
}

TEST_F(Commands, HelperMountsAsMount8CallsIt) {
  const Ran ran = mount_lazyvol({nginx_.url(), world_.mountpoint.string(), "-v", "-o",
                                 "rw,nosuid,nodev,_netdev,cache-dir=" + world_.cache.string()});
  ASSERT_EQ(ran.status, 0) << ran.err;
  expect_same_tree(world_.origin, world_.mountpoint);
}

TEST_F(Commands, NoexecKeepsProgramsFromRunning) {
  const fs::path program = world_.origin / "program";
  fs::copy_file("/bin/true", program);
  world_.must_mount(nginx_.url(), "file-mode=0755,noexec");
  EXPECT_EQ(access(at("program").c_str(), X_OK), -1);
  EXPECT_EQ(errno, EACCES);
  EXPECT_EQ(world_.umount().status, 0);
  world_.must_mount(nginx_.url(), "file-mode=0755,noexec,exec");
  EXPECT_EQ(testing::run({at("program")}).status, 0);
}

TEST_F(Commands, AUserNeedsNoRoot) {
  if (geteuid() != 0) GTEST_SKIP() << "all other tests show it";
  const fs::path home = world_.mountpoint.parent_path() / "home";
  fs::permissions(home.parent_path(), fs::perms(0711));
  fs::create_directory(home);
  ASSERT_EQ(chown(home.c_str(), 65534, 65534), 0);
  const fs::path tools = home.parent_path() / "tools";  // the build may lie where no user may look
  fs::create_directory(tools);
  for (const char* name : {"lazyvol", "lazyvold"}) {
    fs::copy_file(fs::path(LAZYVOL_TOOLS_DIR) / name, tools / name);
  }
  const std::string script =
      "set -e; cd " + home.string() + "; mkdir mnt; lazyvol mount " + nginx_.url() +
      " mnt; diff -r " + world_.origin.string() +
      " mnt; lazyvol cache check | grep -q ' 0 damaged'; test -d .cache/lazyvol; "
      "lazyvol status --json mnt > status; lazyvol umount mnt; test -z \"$(ls mnt)\"; "
      "pid=$(python3 -c 'import json; print(json.load(open(\"status\"))[\"worker\"][\"pid\"])'); "
      "kill $pid; while kill -0 $pid 2>/dev/null; do sleep 0.1; done; echo all is well";
  // fusermount3 opens /dev/fuse as the user, so that one which everybody may open is needed.
  const auto result =
      testing::run({"unshare", "-m", "sh", "-c",
                    "mknod -m 666 \"$0\" c 10 229 && mount --bind \"$0\" /dev/fuse && exec \"$@\"",
                    (home.parent_path() / "fuse").string(), "setpriv", "--reuid=65534",
                    "--regid=65534", "--clear-groups", "env", "-i", "HOME=" + home.string(),
                    "LAZYVOL_RUNTIME_DIR=" + (home / "run").string(),
                    "PATH=" + tools.string() + ":/usr/bin:/bin", "sh", "-c", script});
  EXPECT_EQ(result.status, 0) << result.output;
  EXPECT_NE(result.output.find("all is well"), std::string::npos) << result.output;
}

// mount(8) looks for helpers in /sbin alone, so a mount namespace of its own gets an /sbin with
// ours.
TEST_F(Commands, MountTypeLazyvolWorks) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root for a mount namespace";
  const fs::path extra = world_.mountpoint.parent_path() / "sbin";
  fs::create_directory(extra);
  fs::create_symlink(LAZYVOL_TOOLS_DIR "/mount.lazyvol", extra / "mount.lazyvol");
  const std::string script = "set -e; mount -t overlay overlay -o lowerdir=" + extra.string() +
                             ":/usr/sbin /usr/sbin; "
                             "mount -t lazyvol " +
                             nginx_.url() + " " + world_.mountpoint.string() +
                             " -o cache-dir=" + world_.cache.string() +
                             "; "
                             "cmp " +
                             (world_.origin / "other").string() + " " + at("other") +
                             "; "
                             "umount " +
                             world_.mountpoint.string() + "; echo all is well";
  const auto result = testing::run({"unshare", "-m", "sh", "-c", script});
  EXPECT_EQ(result.status, 0) << result.output;
  EXPECT_NE(result.output.find("all is well"), std::string::npos) << result.output;
}

}  // namespace
}  // namespace lazyvol::e2e
