// A directory on a network file system: sshfs over a real sshd, behind a relay, as the origin.
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string>

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

class NetworkDir : public ::testing::Test {
 protected:
  NetworkDir() {
    fs::create_directories(share_);
    sshd_.trust_port(relay_.port());
  }
  ~NetworkDir() override {
    relay_.set_stalled(false);
    ::umount2(share_.c_str(), MNT_DETACH);
  }
  /// Mounts what the server has at share_. Nothing is kept: each look goes to the server.
  void connect() {
    const fs::path keys = sshd_.client_dir();
    const auto ran = testing::run({"sshfs", "-p", std::to_string(relay_.port()), "-o",
                                   "IdentityFile=" + (keys / "id_ed25519").string(), "-o",
                                   "UserKnownHostsFile=" + (keys / "known_hosts").string(), "-o",
                                   "dir_cache=no,attr_timeout=0,entry_timeout=0,direct_io",
                                   "127.0.0.1:" + world_.origin.string(), share_.string()});
    ASSERT_EQ(ran.status, 0) << ran.output;
  }
  void disconnect() {
    if (::umount2(share_.c_str(), MNT_DETACH) == 0) return;
    ASSERT_EQ(errno, EINVAL) << "an sshfs that lost its server unmounts itself, sooner or later";
  }

  testing::Sshd sshd_;
  testing::Relay relay_{sshd_.port()};
  testing::TempDir temp_;
  const fs::path share_ = temp_.path() / "share";
  World world_;
};

TEST_F(NetworkDir, TreeIsTheSharesAndChangesAreSeen) {
  write_file(world_.origin / "dir/file", noise(300'000, 1));
  write_file(world_.origin / "big", noise((5 << 20) + 7, 2));
  connect();
  world_.must_mount(share_.string(), "metadata-ttl=0");
  expect_same_tree(world_.origin, world_.mountpoint);
  write_file(world_.origin / "dir/file", noise(300'001, 3));
  write_file(world_.origin / "dir/more", "x");
  EXPECT_TRUE(eventually(
      [&] { return testing::read_file(world_.mountpoint / "dir/file") == noise(300'001, 3); }));
  expect_same_tree(world_.origin, world_.mountpoint);
}

TEST_F(NetworkDir, AServerThatHangsHoldsNobodyAndHeals) {
  write_file(world_.origin / "cached", noise(300'000, 4));
  write_file(world_.origin / "uncached", noise(300'000, 5));
  connect();
  world_.must_mount(share_.string(), "io-timeout=2,metadata-ttl=0,io-retries=0");
  EXPECT_EQ(tree_of(world_.mountpoint), tree_of(world_.origin));
  EXPECT_EQ(testing::read_file(world_.mountpoint / "cached"), noise(300'000, 4));
  relay_.set_stalled(true);
  // More questions than the share has threads: they end all the same, and so do the ones of others.
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(read_errno(world_.mountpoint / "uncached"), EIO);
    EXPECT_EQ(testing::read_file(world_.mountpoint / "cached"), noise(300'000, 4));
  }
  EXPECT_EQ(daemon::json_number(world_.status(), "/mounts/0/metadata/failures") > 0, true);
  relay_.set_stalled(false);
  EXPECT_TRUE(eventually([&] { return read_errno(world_.mountpoint / "uncached") == 0; }));
  EXPECT_EQ(testing::read_file(world_.mountpoint / "uncached"), noise(300'000, 5));
}

TEST_F(NetworkDir, AShareThatIsUnmountedIsNoEmptyOneAndComesBack) {
  write_file(world_.origin / "cached", noise(300'000, 6));
  write_file(world_.origin / "uncached", noise(300'000, 7));
  connect();
  world_.must_mount(share_.string(), "io-timeout=2,metadata-ttl=0,io-retries=0");
  EXPECT_EQ(tree_of(world_.mountpoint), tree_of(world_.origin));
  EXPECT_EQ(testing::read_file(world_.mountpoint / "cached"), noise(300'000, 6));
  // The server of the old mount ends, so its handle is dead; the directory below is empty.
  relay_.set_refusing(true);
  relay_.cut_all();
  disconnect();
  EXPECT_TRUE(eventually([&] { return read_errno(world_.mountpoint / "uncached") == EIO; }));
  EXPECT_EQ(tree_of(world_.mountpoint), tree_of(world_.origin));
  EXPECT_EQ(testing::read_file(world_.mountpoint / "cached"), noise(300'000, 6));
  relay_.set_refusing(false);
  connect();
  EXPECT_TRUE(eventually([&] { return read_errno(world_.mountpoint / "uncached") == 0; }));
}

}  // namespace
}  // namespace lazyvol::e2e
