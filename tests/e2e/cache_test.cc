// What a cache directory goes through: damage, limits, a full disk.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

#include "daemon/control_client.h"
#include "e2e/world.h"
#include "model/content.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::e2e {
namespace {

namespace fs = std::filesystem;
using daemon::json_flag;
using daemon::json_number;
using testing::noise;
using testing::write_file;

constexpr std::size_t kMiB = 1 << 20;
constexpr std::size_t kBlock = model::kBlockSize;

/// Flips one bit in every 64 KiB of data of a file; answers with how many.
int flip_bits(const fs::path& file) {
  const int fd = open(file.c_str(), O_RDWR | O_CLOEXEC);
  EXPECT_GE(fd, 0) << file;
  const off_t size = lseek(fd, 0, SEEK_END);
  int flips = 0;
  for (off_t at = 1000; at < size; at += 64 * 1024) {
    if (lseek(fd, at, SEEK_DATA) != at) continue;  // a hole
    char byte = 0;
    EXPECT_EQ(pread(fd, &byte, 1, at), 1);
    byte = static_cast<char>(byte ^ 4);
    EXPECT_EQ(pwrite(fd, &byte, 1, at), 1);
    ++flips;
  }
  close(fd);
  return flips;
}

class CacheDir : public ::testing::Test {
 protected:
  World world_;
};

TEST_F(CacheDir, FlippedBitsAreHealed) {
  write_file(world_.origin / "object", noise(4 * kMiB, 1));
  for (int i = 0; i < 8; ++i) {
    write_file(world_.origin / ("small" + std::to_string(i)), noise(100'000, 2));
  }
  testing::Nginx nginx(world_.origin);
  world_.must_mount(nginx.url());
  expect_same_tree(world_.origin, world_.mountpoint);
  world_.restart();
  int objects = 0, slabs = 0;
  for (const auto& entry : fs::recursive_directory_iterator(world_.cache)) {
    if (!entry.is_regular_file()) continue;
    const std::string path = entry.path().lexically_relative(world_.cache).string();
    if (path.starts_with("objects/")) objects += flip_bits(entry.path());
    if (path.starts_with("slabs/")) slabs += flip_bits(entry.path());
  }
  ASSERT_GT(objects, 0);
  ASSERT_GT(slabs, 0);
  world_.must_mount(nginx.url());
  expect_same_tree(world_.origin, world_.mountpoint);
  EXPECT_GE(json_number(world_.status(), "/cache/corrupt_blocks"), 16u + 8u);
  // Healed means stored again: a third life fetches nothing.
  world_.restart();
  nginx.clear_access_log();
  world_.must_mount(nginx.url());
  expect_same_tree(world_.origin, world_.mountpoint);
  EXPECT_TRUE(content_requests(nginx).empty());
}

TEST_F(CacheDir, CheckFindsWhatWasFlipped) {
  write_file(world_.origin / "object", noise(4 * kMiB, 1));
  const testing::Nginx nginx(world_.origin);
  world_.must_mount(nginx.url());
  expect_same_tree(world_.origin, world_.mountpoint);
  world_.restart();
  for (const auto& entry : fs::recursive_directory_iterator(world_.cache / "objects")) {
    if (entry.is_regular_file()) flip_bits(entry.path());
  }
  world_.must_mount(nginx.url());
  const Ran check = lazyvol({"cache", "check", "--cache-dir", world_.cache.string()});
  EXPECT_EQ(check.status, 1);
  EXPECT_NE(check.out.find("64 damaged"), std::string::npos) << check.out;
  expect_same_tree(world_.origin, world_.mountpoint);
}

TEST_F(CacheDir, StaysWithinItsSizeUnderALargeRead) {
  constexpr std::uint64_t kLimit = 64 * kMiB;
  const std::string bytes = noise(256 * kMiB, 5);
  write_file(world_.origin / "large", bytes);
  const testing::Nginx nginx(world_.origin);
  world_.must_mount(nginx.url(), "cache-size=64M");
  std::atomic<bool> done{false};
  std::uint64_t most = 0;
  std::thread watch([&] {
    while (!done) {
      most = std::max(most, disk_bytes(world_.cache));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  EXPECT_TRUE(testing::read_file(world_.mountpoint / "large") == bytes);
  done = true;
  watch.join();
  EXPECT_LE(most, kLimit);
  EXPECT_GT(most, kLimit / 4);  // it did cache
  EXPECT_GT(json_number(world_.status(), "/cache/evicted_bytes"), 100 * kMiB);
}

TEST_F(CacheDir, FullDiskHarmsNoReadAndIsUsedAgain) {
  if (geteuid() != 0) GTEST_SKIP() << "mounting a tmpfs needs root";
  const std::string first = noise(32 * kMiB, 8), second = noise(32 * kMiB, 9);
  write_file(world_.origin / "first", first);
  write_file(world_.origin / "second", second);
  const testing::Nginx nginx(world_.origin);
  fs::create_directory(world_.cache);
  ASSERT_EQ(::mount("tmpfs", world_.cache.c_str(), "tmpfs", 0, "size=256M"), 0);
  world_.must_mount(nginx.url(), "free-space-ratio=0");
  const std::string filler = (world_.cache / "filler").string();
  (void)testing::run({"dd", "if=/dev/zero", "of=" + filler, "bs=64k"});
  EXPECT_TRUE(testing::read_file(world_.mountpoint / "first") == first);
  const auto full = world_.status();
  EXPECT_GT(json_number(full, "/cache/bypassed_blocks"), 0u);
  fs::remove(filler);
  const std::string path = (world_.mountpoint / "second").string();
  EXPECT_TRUE(eventually([&] {  // it is probed now and then
    (void)lazyvol({"evict", path});
    const auto before = json_number(world_.status(), "/cache/stored_blocks");
    (void)lazyvol({"prefetch", path});
    return json_number(world_.status(), "/cache/stored_blocks") - before == second.size() / kBlock;
  }));
  EXPECT_TRUE(json_flag(world_.status(), "/cache/writable"));
  EXPECT_TRUE(testing::read_file(world_.mountpoint / "second") == second);
  world_.end_daemon(SIGTERM);
  EXPECT_EQ(umount2(world_.cache.c_str(), 0), 0);
}

}  // namespace
}  // namespace lazyvol::e2e
