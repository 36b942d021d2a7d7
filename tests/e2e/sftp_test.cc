// A mount over a real sshd.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "daemon/control_client.h"
#include "e2e/world.h"
#include "support/servers.h"
#include "support/sshd.h"
#include "support/temp_dir.h"

namespace lazyvol::e2e {
namespace {

namespace fs = std::filesystem;
using testing::noise;
using testing::write_file;

class SftpMount : public ::testing::Test {
 protected:
  SftpMount() { sshd_.trust_port(relay_.port()); }
  std::string url() const {
    return "sftp://127.0.0.1:" + std::to_string(relay_.port()) + world_.origin.string();
  }

  testing::Sshd sshd_;
  testing::Relay relay_{sshd_.port()};
  testing::SshDirectory client_{sshd_.client_dir()};
  World world_;
};

TEST_F(SftpMount, TreeEqualsTheOriginWithLinksAndModes) {
  write_file(world_.origin / "empty", "");
  write_file(world_.origin / "dir/a b\n\xff", noise(70'000, 1));
  write_file(world_.origin / "big", noise((20 << 20) + 123, 2));
  write_file(world_.origin / "program", "#!/bin/sh\n");
  fs::permissions(world_.origin / "program", fs::perms(0750));
  fs::create_symlink("../big", world_.origin / "dir/link");
  world_.must_mount(url());
  expect_same_tree(world_.origin, world_.mountpoint);
  EXPECT_EQ(fs::read_symlink(world_.mountpoint / "dir/link"), "../big");
  EXPECT_EQ(fs::status(world_.mountpoint / "program").permissions(), fs::perms(0750));
  EXPECT_EQ(daemon::json_text(world_.status(), "/mounts/0/scheme"), "sftp");
  EXPECT_EQ(world_.umount().status, 0);
}

TEST_F(SftpMount, KilledSessionsCostNoRead) {
  constexpr int kFiles = 4;
  for (int i = 0; i < kFiles; ++i) {
    write_file(world_.origin / std::to_string(i), noise(24 << 20, 10 + i));
  }
  world_.must_mount(url());
  relay_.set_delay(std::chrono::milliseconds(5));
  std::atomic<int> right{0};
  std::atomic<bool> over{false};
  std::thread killer([&] {
    for (int i = 0; i < 5 && !over; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(150));
      sshd_.kill_sessions();
    }
  });
  std::vector<std::thread> readers;
  for (int i = 0; i < kFiles; ++i) {
    readers.emplace_back([&, i] {
      const std::string seen = testing::read_file(world_.mountpoint / std::to_string(i));
      right += seen == noise(24 << 20, 10 + i);
    });
  }
  for (auto& reader : readers) reader.join();
  over = true;
  killer.join();
  EXPECT_EQ(right, kFiles);
}

TEST_F(SftpMount, OutageServesWhatIsCachedAndHeals) {
  write_file(world_.origin / "cached", noise(300'000, 21));
  write_file(world_.origin / "uncached", noise(300'000, 22));
  world_.must_mount(url(), "io-timeout=2,metadata-ttl=0");
  EXPECT_EQ(tree_of(world_.mountpoint), tree_of(world_.origin));
  EXPECT_EQ(read_errno(world_.mountpoint / "cached"), 0);
  relay_.set_refusing(true);
  relay_.cut_all();
  EXPECT_EQ(testing::read_file(world_.mountpoint / "cached"), noise(300'000, 21));
  EXPECT_EQ(tree_of(world_.mountpoint), tree_of(world_.origin));
  EXPECT_EQ(read_errno(world_.mountpoint / "uncached"), EIO);
  relay_.set_refusing(false);
  EXPECT_TRUE(eventually([&] { return read_errno(world_.mountpoint / "uncached") == 0; }));
}

TEST_F(SftpMount, AStrangerIsRefusedInOneLineThatNamesTheFix) {
  fs::remove(sshd_.client_dir() / "known_hosts");
  const Ran ran = world_.mount(url());
  EXPECT_EQ(ran.status, 32);
  expect_one_line(ran.err);
  EXPECT_NE(ran.err.find("ssh-keyscan"), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace lazyvol::e2e
