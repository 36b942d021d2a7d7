// The main job on a real kernel mount with a real nginx.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

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

constexpr std::size_t kMiB = 1 << 20;

/// A little of everything: names that need encoding, empty, small (slab) and large (object) files.
void make_tree(const fs::path& root) {
  write_file(root / "empty", "");
  write_file(root / "small.txt", "hello\n");
  write_file(root / "odd block", noise(256 * 1024 + 1, 3));
  write_file(root / "big.bin", noise(5 * kMiB + 12345, 4));
  write_file(root / "dir/a b+c%d&e.txt", noise(1000, 5));
  write_file(root / "dir/sub/\xc3\xbcnicode'\"quotes\".dat", noise(70'000, 6));
  write_file(root / "dir/sub/deep/x", "x");
  for (int i = 0; i < 50; ++i) {
    write_file(root / "many" / std::to_string(i), noise(static_cast<std::size_t>(i) * 100, 7));
  }
}

/// What is left to read of a big.bin of make_tree(), of which one byte was read.
void expect_rest_of_big(std::ifstream& file) {
  const std::string rest(std::istreambuf_iterator<char>(file), {});
  EXPECT_TRUE(rest == noise(5 * kMiB + 12345, 4).substr(1)) << rest.size();
}

class Mount : public ::testing::Test {
 protected:
  World world_;
};

TEST_F(Mount, TreeEqualsTheOrigin) {
  make_tree(world_.origin);
  const testing::Nginx nginx(world_.origin);
  world_.must_mount(nginx.url());
  expect_same_tree(world_.origin, world_.mountpoint);
  const auto ran = world_.umount();
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_FALSE(world_.mounted());
}

TEST_F(Mount, LocalDirectoryEqualsItself) {
  make_tree(world_.origin);
  world_.must_mount(world_.origin.string());
  expect_same_tree(world_.origin, world_.mountpoint);
}

TEST_F(Mount, OnlyWhatIsReadIsFetched) {
  make_tree(world_.origin);
  const testing::Nginx nginx(world_.origin);
  world_.must_mount(nginx.url());
  EXPECT_EQ(tree_of(world_.mountpoint), tree_of(world_.origin));
  EXPECT_TRUE(content_requests(nginx).empty());
  EXPECT_EQ(testing::read_file(world_.mountpoint / "small.txt"), "hello\n");
  for (const auto& line : content_requests(nginx)) EXPECT_EQ(line.uri, "/small.txt");
}

TEST_F(Mount, SecondLifeAsksForNoContent) {
  make_tree(world_.origin);
  testing::Nginx nginx(world_.origin);
  world_.must_mount(nginx.url());
  expect_same_tree(world_.origin, world_.mountpoint);
  world_.restart();
  nginx.clear_access_log();
  world_.must_mount(nginx.url());
  expect_same_tree(world_.origin, world_.mountpoint);
  for (const auto& line : content_requests(nginx)) ADD_FAILURE() << line.method << " " << line.uri;
}

TEST_F(Mount, EightReadersFetchEachByteOnce) {
  const std::string bytes = noise(64 * kMiB, 11);
  write_file(world_.origin / "cold.bin", bytes);
  const testing::Nginx nginx(world_.origin);
  world_.must_mount(nginx.url());
  std::atomic<int> right{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 8; ++i) {
    readers.emplace_back([&] {
      if (testing::read_file(world_.mountpoint / "cold.bin") == bytes) ++right;
    });
  }
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(right, 8);
  std::uint64_t sent = 0;
  for (const auto& line : content_requests(nginx)) sent += line.body_bytes;
  EXPECT_EQ(sent, bytes.size());
}

TEST_F(Mount, OutageServesWhatIsCachedAndHeals) {
  write_file(world_.origin / "cached", noise(300'000, 21));
  write_file(world_.origin / "uncached", noise(300'000, 22));
  write_file(world_.origin / "dir/file", "x");
  testing::Nginx nginx(world_.origin);
  world_.must_mount(nginx.url(), "io-timeout=2,metadata-ttl=0");
  expect_same_tree(world_.origin / "dir", world_.mountpoint / "dir");
  EXPECT_EQ(tree_of(world_.mountpoint), tree_of(world_.origin));
  EXPECT_EQ(read_errno(world_.mountpoint / "cached"), 0);
  nginx.stop();
  EXPECT_EQ(testing::read_file(world_.mountpoint / "cached"), noise(300'000, 21));
  EXPECT_EQ(tree_of(world_.mountpoint), tree_of(world_.origin));
  EXPECT_EQ(read_errno(world_.mountpoint / "uncached"), EIO);
  EXPECT_GT(json_number(world_.status(), "/mounts/0/metadata/stale_served"), 0u);
  nginx.start();
  EXPECT_TRUE(eventually([&] { return read_errno(world_.mountpoint / "uncached") == 0; }));
  expect_same_tree(world_.origin, world_.mountpoint);
}

TEST_F(Mount, OutageIsSurvivedByANewDaemon) {
  make_tree(world_.origin);
  testing::Nginx nginx(world_.origin);
  world_.must_mount(nginx.url(), "io-timeout=2");
  expect_same_tree(world_.origin, world_.mountpoint);
  world_.restart();
  nginx.stop();
  world_.must_mount(nginx.url(), "io-timeout=2");
  expect_same_tree(world_.origin, world_.mountpoint);
}

TEST_F(Mount, UmountFromOutsideLeavesTheTable) {
  make_tree(world_.origin);
  world_.must_mount(world_.origin.string());
  ASSERT_EQ(umount2(world_.mountpoint.c_str(), 0), 0);
  EXPECT_TRUE(eventually([&] { return world_.status()["mounts"].empty(); }));
  world_.must_mount(world_.origin.string());
  expect_same_tree(world_.origin, world_.mountpoint);
}

TEST_F(Mount, BusyMountIsNotUnmountedUnlessLazily) {
  make_tree(world_.origin);
  world_.must_mount(world_.origin.string());
  {
    std::ifstream open(world_.mountpoint / "big.bin");
    ASSERT_TRUE(open.get() != EOF);
    const Ran busy = world_.umount();
    EXPECT_EQ(busy.status, 32);
    expect_one_line(busy.err);
    expect_same_tree(world_.origin, world_.mountpoint);  // and still serves
    EXPECT_EQ(lazyvol({"umount", "-l", world_.mountpoint.string()}).status, 0);
    EXPECT_FALSE(world_.mounted());
    expect_rest_of_big(open);
  }
  EXPECT_TRUE(eventually([&] { return world_.status()["mounts"].empty(); }));
}

TEST_F(Mount, ALazilyUnmountedMountpointIsFreeWhileOldReadersGoOn) {
  if (geteuid() != 0) GTEST_SKIP() << "umount2 needs root";
  make_tree(world_.origin);
  const testing::Nginx nginx(world_.origin);
  world_.must_mount(nginx.url());
  std::ifstream open(world_.mountpoint / "big.bin");
  ASSERT_TRUE(open.get() != EOF);
  ASSERT_EQ(umount2(world_.mountpoint.c_str(), MNT_DETACH), 0);
  world_.must_mount(nginx.url());
  expect_same_tree(world_.origin, world_.mountpoint);
  expect_rest_of_big(open);
  EXPECT_TRUE(world_.mounted());
}

TEST_F(Mount, SigtermUnmountsEvenWhatIsBusy) {
  make_tree(world_.origin);
  world_.must_mount(world_.origin.string());
  std::ifstream open(world_.mountpoint / "big.bin");
  ASSERT_TRUE(open.get() != EOF);
  world_.end_daemon(SIGTERM);
  EXPECT_FALSE(world_.mounted());
}

TEST_F(Mount, DeadDaemonIsCleanedUpAfter) {
  make_tree(world_.origin);
  world_.must_mount(world_.origin.string());
  ASSERT_TRUE(fs::is_directory(world_.mountpoint));  // the kernel keeps its attributes for a while
  world_.end_daemon(SIGKILL);
  ASSERT_TRUE(world_.mounted());
  EXPECT_NE(lazyvol({"status"}).out.find("dead"), std::string::npos);
  const Ran ran = world_.mount(world_.origin.string());
  EXPECT_EQ(ran.status, 0) << ran.err;
  expect_one_line(ran.err);  // says that it removed the dead one
  expect_same_tree(world_.origin, world_.mountpoint);
  world_.end_daemon(SIGKILL);
  EXPECT_EQ(world_.umount().status, 0);
  EXPECT_FALSE(world_.mounted());
}

TEST_F(Mount, TwoMountsOfOneSourceShareTheBytes) {
  make_tree(world_.origin);
  const testing::Nginx nginx(world_.origin);
  world_.must_mount(nginx.url());
  const fs::path second = world_.mountpoint.parent_path() / "second";
  fs::create_directory(second);
  const Ran ran =
      lazyvol({"mount", nginx.url(), second, "-o", "cache-dir=" + world_.cache.string()});
  ASSERT_EQ(ran.status, 0) << ran.err;
  expect_same_tree(world_.origin, world_.mountpoint);
  expect_same_tree(world_.origin, second);
  std::uint64_t sent = 0, size = 0;
  for (const auto& line : content_requests(nginx)) sent += line.body_bytes;
  for (const auto& name : tree_of(world_.origin)) {
    if (!name.ends_with('/')) size += fs::file_size(world_.origin / name);
  }
  EXPECT_EQ(sent, size);
  EXPECT_EQ(world_.status()["mounts"].size(), 2u);
  EXPECT_EQ(lazyvol({"umount", second}).status, 0);
}

TEST_F(Mount, ForegroundServesUntilInterrupted) {
  make_tree(world_.origin);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    execl(LAZYVOL_TOOLS_DIR "/lazyvol", "lazyvol", "mount", "-f", world_.origin.c_str(),
          world_.mountpoint.c_str(), "-o", ("cache-dir=" + world_.cache.string()).c_str(), nullptr);
    _exit(127);
  }
  ASSERT_TRUE(eventually([&] { return world_.mounted(); }));
  expect_same_tree(world_.origin, world_.mountpoint);
  EXPECT_EQ(world_.daemon_pid(), child);
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_FALSE(world_.mounted());
}

}  // namespace
}  // namespace lazyvol::e2e
