// Files that are wholly cached, read by the kernel itself: what a user sees of it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "daemon/control_client.h"
#include "e2e/world.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::e2e {
namespace {

namespace fs = std::filesystem;
using daemon::json_flag;
using daemon::json_number;
using daemon::json_text;
using testing::noise;
using testing::read_file;
using testing::write_file;

constexpr std::size_t kSize = (9 << 20) + 77;

class PassedThrough : public ::testing::Test {
 protected:
  PassedThrough() { write_file(world_.origin / "f", bytes_); }

  fs::path file() const { return world_.mountpoint / "f"; }
  daemon::ControlJson mount_status() const { return world_.status()["mounts"][0]; }
  std::uint64_t passed() const { return json_number(mount_status(), "/fuse/passed_opens"); }

  /// Reads the file until an open is passed through. False where the kernel, our rights or the
  /// file system do not let it: then the reason is told, which is all that is asked for.
  bool reads_until_passed() {
    EXPECT_EQ(read_file(file()), bytes_);
    const bool passes = eventually([&] {
      EXPECT_EQ(read_file(file()), bytes_);
      return passed() > 0 || !json_flag(mount_status(), "/fuse/passthrough");
    });
    EXPECT_TRUE(passes);
    if (json_flag(mount_status(), "/fuse/passthrough")) return true;
    EXPECT_NE(json_text(mount_status(), "/fuse/passthrough_reason"), "");
    return false;
  }

  World world_;
  const std::string bytes_ = noise(kSize, 3);
};

TEST_F(PassedThrough, AfterItsFirstReaderAndAgainAfterARestart) {
  testing::Nginx nginx(world_.origin);
  world_.must_mount(nginx.url());
  if (!reads_until_passed()) return;
  const std::uint64_t reads = json_number(mount_status(), "/fetch/reads");
  EXPECT_EQ(read_file(file()), bytes_);
  EXPECT_EQ(json_number(mount_status(), "/fetch/reads"), reads) << "the daemon was asked";
  EXPECT_NE(lazyvol({"status", "--cache-dir", world_.cache}).status, -1);
  world_.umount();
  world_.restart();
  nginx.stop();  // what is cached needs no origin
  world_.must_mount(nginx.url());
  EXPECT_TRUE(reads_until_passed());
}

TEST_F(PassedThrough, AMappingOutlivesEvictionUnmountAndTheDaemon) {
  testing::Nginx nginx(world_.origin);
  world_.must_mount(nginx.url());
  if (!reads_until_passed()) return;
  const int fd = ::open(file().c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  void* map = ::mmap(nullptr, kSize, PROT_READ, MAP_SHARED, fd, 0);
  ASSERT_NE(map, MAP_FAILED);
  ::close(fd);
  EXPECT_TRUE(eventually([&] { return json_number(mount_status(), "/fuse/passed_files") == 0; }));
  EXPECT_EQ(lazyvol({"evict", file()}).status, 0);
  EXPECT_EQ(std::string_view(static_cast<const char*>(map), kSize), bytes_);
  EXPECT_EQ(read_file(file()), bytes_) << "fetched again";
  EXPECT_EQ(lazyvol({"evict", file()}).status, 0);
  world_.umount();
  world_.end_daemon(SIGKILL);
  EXPECT_EQ(std::string_view(static_cast<const char*>(map), kSize), bytes_);
  ::munmap(map, kSize);
}

TEST_F(PassedThrough, AReplacedFileIsNeverTheOldOne) {
  world_.must_mount(world_.origin, "metadata-ttl=0s");
  if (!reads_until_passed()) return;
  const int old = ::open(file().c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(old, 0);
  const std::string other = noise(kSize, 4);
  write_file(world_.origin / "new", other);
  fs::rename(world_.origin / "new", world_.origin / "f");
  EXPECT_EQ(read_file(file()), other);
  std::string again(kSize, '\0');
  EXPECT_EQ(::pread(old, again.data(), kSize, 0), static_cast<ssize_t>(kSize));
  EXPECT_EQ(again, bytes_) << "an open file is one version";
  ::close(old);
}

TEST_F(PassedThrough, UnderAnOverlay) {
  testing::Nginx nginx(world_.origin);
  world_.must_mount(nginx.url());
  const bool passes = reads_until_passed();
  const testing::TempDir layers;
  for (const char* name : {"upper", "work", "merged"}) fs::create_directory(layers.path() / name);
  const fs::path merged = layers.path() / "merged";
  const std::string words = "lowerdir=" + world_.mountpoint.string() +
                            ",upperdir=" + (layers.path() / "upper").string() +
                            ",workdir=" + (layers.path() / "work").string();
  ASSERT_EQ(::mount("overlay", merged.c_str(), "overlay", 0, words.c_str()), 0)
      << "an overlay on top must go on working: " << strerror(errno);
  const std::uint64_t before = passed();
  EXPECT_EQ(read_file(merged / "f"), bytes_);
  EXPECT_EQ(passed() > before, passes);
  std::ofstream(merged / "f", std::ios::app) << "more";
  EXPECT_EQ(read_file(merged / "f"), bytes_ + "more");
  EXPECT_EQ(read_file(file()), bytes_);
  ::umount2(merged.c_str(), MNT_DETACH);
}

TEST_F(PassedThrough, NotWithOnChangeReopenNorWithoutWish) {
  for (const char* options : {"on-change=reopen", "open=daemon", "open=kernel"}) {
    world_.must_mount(world_.origin, options);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(read_file(file()), bytes_) << options;
    EXPECT_EQ(passed(), 0u) << options;
    world_.umount();
  }
}

TEST(OpenByKernel, ANewNameShowsWhenTheListingIsOver) {
  World world;
  write_file(world.origin / "a", "1");
  world.must_mount(world.origin, "open=kernel,metadata-ttl=1s");
  const auto names = [&] {
    const auto items = fs::directory_iterator(world.mountpoint);
    return std::distance(begin(items), end(items));
  };
  EXPECT_EQ(names(), 1);
  EXPECT_EQ(names(), 1);
  write_file(world.origin / "b", "2");
  EXPECT_TRUE(eventually([&] { return names() == 2; }));
  EXPECT_EQ(read_file(world.mountpoint / "b"), "2");
}

TEST_F(PassedThrough, AnUnknownOpenerIsRefused) {
  const Ran ran = world_.mount(world_.origin, "open=me");
  EXPECT_NE(ran.status, 0);
  EXPECT_NE(ran.err.find("open"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("passthrough, daemon, kernel"), std::string::npos) << ran.err;
  expect_one_line(ran.err);
}

}  // namespace
}  // namespace lazyvol::e2e
