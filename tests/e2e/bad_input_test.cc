// Every bad input: one clear line, the right exit status, nothing left mounted.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "daemon/cli.h"
#include "e2e/world.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::e2e {
namespace {

namespace fs = std::filesystem;
using testing::write_file;

class BadInput : public ::testing::Test {
 protected:
  /// That the command failed as it should: `mentions` says what the line must name.
  void expect_refused(const Ran& ran, int status, const std::string& mentions) {
    EXPECT_EQ(ran.status, status) << ran.err;
    EXPECT_EQ(ran.out, "");
    expect_one_line(ran.err);
    EXPECT_NE(ran.err.find(mentions), std::string::npos) << ran.err;
    EXPECT_FALSE(world_.mounted());
    EXPECT_TRUE(eventually([&] { return world_.daemon_pid() == 0; })) << "a daemon was left";
  }
  World world_;
};

constexpr int kMountFailure = daemon::kExitMountFailure;

TEST_F(BadInput, UnknownOption) {
  expect_refused(world_.mount("http://127.0.0.1:1/", "frobnicate=1"), daemon::kExitUsage,
                 "frobnicate");
  EXPECT_FALSE(fs::exists(world_.cache));
}

TEST_F(BadInput, UnknownScheme) {
  expect_refused(world_.mount("gopher://host/"), daemon::kExitUsage, "gopher");
  EXPECT_FALSE(fs::exists(world_.cache));
}

TEST_F(BadInput, UnresolvableHost) {
  expect_refused(world_.mount("http://nosuch.example.invalid/", "io-timeout=2"), kMountFailure,
                 "nosuch.example.invalid");
}

TEST_F(BadInput, RefusedConnection) {
  expect_refused(world_.mount("http://127.0.0.1:1/", "io-timeout=2"), kMountFailure, "127.0.0.1:1");
}

TEST_F(BadInput, StatusesOfTheOrigin) {
  testing::NginxOptions options;
  options.extra_server =
      "location /s401/ { return 401; } location /s403/ { return 403; } "
      "location /s404/ { return 404; }";
  const testing::Nginx nginx(world_.origin, options);
  for (const char* status : {"401", "403", "404"}) {
    expect_refused(world_.mount(nginx.url() + "s" + status + "/", "io-timeout=2"), kMountFailure,
                   status);
  }
}

TEST_F(BadInput, PageThatIsNoIndex) {
  write_file(world_.origin / "page/index.html", "<html><body><h1>Welcome</h1></body></html>");
  testing::NginxOptions options;
  options.extra_location = "index index.html;";
  const testing::Nginx nginx(world_.origin, options);
  expect_refused(world_.mount(nginx.url() + "page/", "io-timeout=2"), kMountFailure, "index");
}

TEST_F(BadInput, LocalDirectoryThatIsNotThere) {
  expect_refused(world_.mount("/no/such/directory"), kMountFailure, "/no/such/directory");
}

TEST_F(BadInput, CredentialsThatOthersCanRead) {
  const fs::path file = world_.origin / "credentials.toml";
  write_file(file, "username = \"me\"\npassword = \"hunter2\"\n");
  fs::permissions(file, fs::perms(0644));
  const Ran ran = world_.mount("http://127.0.0.1:1/", "credentials=" + file.string());
  expect_refused(ran, kMountFailure, "credentials.toml");
  EXPECT_EQ(ran.err.find("hunter2"), std::string::npos);
}

TEST_F(BadInput, MountpointMissing) {
  const Ran ran = lazyvol({"mount", world_.origin.string(), "/no/such/mountpoint", "-o",
                           "cache-dir=" + world_.cache.string()});
  expect_refused(ran, kMountFailure, "/no/such/mountpoint");
  EXPECT_FALSE(fs::exists(world_.cache));
}

TEST_F(BadInput, MountpointBusy) {
  world_.must_mount(world_.origin.string());
  const Ran ran = world_.mount(world_.origin.string());
  EXPECT_EQ(ran.status, kMountFailure);
  expect_one_line(ran.err);
  EXPECT_NE(ran.err.find("busy"), std::string::npos) << ran.err;
  EXPECT_TRUE(world_.mounted());
  EXPECT_EQ(world_.status()["mounts"].size(), 1u);
}

TEST_F(BadInput, CacheHeldByAnotherDaemon) {
  world_.must_mount(world_.origin.string());
  EXPECT_EQ(world_.umount().status, 0);
  const auto other = testing::run({LAZYVOL_TOOLS_DIR "/lazyvold", "--cache-dir", world_.cache,
                                   "--runtime-dir", world_.cache.parent_path() / "run2"});
  EXPECT_EQ(other.status, 1);
  expect_one_line(other.output);
  EXPECT_NE(other.output.find(world_.cache.filename().string()), std::string::npos) << other.output;
}

TEST_F(BadInput, CacheOnAReadOnlyFileSystem) {
  if (geteuid() != 0) GTEST_SKIP() << "mounting a tmpfs needs root";
  fs::create_directory(world_.cache);
  ASSERT_EQ(::mount("tmpfs", world_.cache.c_str(), "tmpfs", MS_RDONLY, "size=1M"), 0);
  const Ran ran = world_.mount(world_.origin.string());
  EXPECT_EQ(umount2(world_.cache.c_str(), 0), 0);
  EXPECT_EQ(ran.status, kMountFailure) << ran.err;
  expect_one_line(ran.err);
  EXPECT_FALSE(world_.mounted());
}

TEST_F(BadInput, CacheOnAFullFileSystem) {
  if (geteuid() != 0) GTEST_SKIP() << "mounting a tmpfs needs root";
  fs::create_directory(world_.cache);
  ASSERT_EQ(::mount("tmpfs", world_.cache.c_str(), "tmpfs", 0, "size=64k"), 0);
  write_file(world_.cache / "filler", "");
  truncate((world_.cache / "filler").c_str(), 0);
  (void)testing::run({"dd", "if=/dev/zero", "of=" + (world_.cache / "filler").string(), "bs=4k"});
  const Ran ran = world_.mount(world_.origin.string());
  EXPECT_EQ(ran.status, kMountFailure) << ran.err;
  expect_one_line(ran.err);
  EXPECT_FALSE(world_.mounted());
  EXPECT_TRUE(eventually([&] { return umount2(world_.cache.c_str(), 0) == 0; }));
}

TEST_F(BadInput, HelperHasTheStatusesOfMount8) {
  const std::string cache = "cache-dir=" + world_.cache.string();
  const std::string there = world_.mountpoint.string();
  EXPECT_EQ(mount_lazyvol({"http://127.0.0.1:1/", there, "-o", "frobnicate"}).status, 1);
  EXPECT_EQ(mount_lazyvol({"http://127.0.0.1:1/", there, "-o", cache + ",io-timeout=1"}).status,
            32);
  EXPECT_EQ(mount_lazyvol({"http://127.0.0.1:1/", "/no/such", "-o", cache}).status, 32);
  EXPECT_FALSE(world_.mounted());
}

}  // namespace
}  // namespace lazyvol::e2e
