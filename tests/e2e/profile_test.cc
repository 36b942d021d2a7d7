// lazyvol profile, and the option prefetch-profile, on a real mount.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "daemon/cli.h"
#include "e2e/world.h"
#include "model/profile.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::e2e {
namespace {

namespace fs = std::filesystem;
using testing::noise;
using testing::read_file;
using testing::write_file;

class ProfileCommand : public ::testing::Test {
 protected:
  ProfileCommand() {
    write_file(world_.origin / "bin/app", noise(3 << 20, 1));
    write_file(world_.origin / "lib/a b", noise(20'000, 2));
    write_file(world_.origin / "lib/unused", noise(500'000, 3));
  }
  std::string at(const std::string& path) const { return (world_.mountpoint / path).string(); }
  /// What the application reads: a few pages of one file, all of another.
  std::string application() const {
    return "head -c 4096 " + at("bin/app") + " > /dev/null; tail -c 4096 " + at("bin/app") +
           " > /dev/null; cat '" + at("lib/a b") + "' > /dev/null";
  }
  Ran record() {
    return lazyvol(
        {"profile", "record", world_.mountpoint.string(), file_, "--", "sh", "-c", application()});
  }

  testing::TempDir dir_;
  World world_;
  testing::Nginx nginx_{world_.origin};
  const std::string file_ = (dir_.path() / "app.profile").string();
};

TEST_F(ProfileCommand, IsRecordedShownAndFetchedAhead) {
  world_.must_mount(nginx_.url(), "prefetch=none");
  const Ran recorded = record();
  ASSERT_EQ(recorded.status, 0) << recorded.err;
  const auto profile = model::parse_profile(read_file(file_));
  ASSERT_TRUE(profile.ok());
  std::vector<std::string> files;
  for (const auto& item : *profile) {
    if (!item.directory) files.push_back(item.path);
  }
  EXPECT_EQ(files, (std::vector<std::string>{"bin/app", "lib/a b"}));
  const Ran shown = lazyvol({"profile", "show", file_});
  EXPECT_EQ(shown.status, 0);
  EXPECT_NE(shown.out.find("lib/a%20b\n"), std::string::npos) << shown.out;

  for (const bool at_mount : {true, false}) {
    ASSERT_EQ(world_.umount().status, 0);
    world_.restart();
    fs::remove_all(world_.cache);
    world_.must_mount(nginx_.url(), at_mount ? "prefetch-profile=" + file_ : "prefetch=none");
    if (at_mount) {
      ASSERT_TRUE(eventually([&] { return content_requests(nginx_).size() >= 3; }));
    } else {
      const Ran replayed = lazyvol({"profile", "replay", world_.mountpoint.string(), file_});
      ASSERT_EQ(replayed.status, 0) << replayed.err;
    }
    ASSERT_TRUE(eventually([&] {
      return daemon::json_number(world_.status(), "/mounts/0/fetch/in_flight_requests") == 0;
    }));
    nginx_.clear_access_log();
    EXPECT_EQ(std::system(application().c_str()), 0);
    EXPECT_TRUE(content_requests(nginx_).empty());
    nginx_.clear_access_log();
  }
}

TEST_F(ProfileCommand, ThePublisherTakesIt) {
  world_.must_mount(nginx_.url(), "prefetch=none");
  ASSERT_EQ(record().status, 0);
  const Ran ran =
      lazyvol({"publish", "--state-dir", (dir_.path() / "state").string(), "--profile", file_,
               "--json", world_.origin.string(), (dir_.path() / "volume").string()});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.err, "") << "every path is in the tree";
}

TEST_F(ProfileCommand, EndsAsTheCommandDoes) {
  world_.must_mount(nginx_.url());
  const std::string mount = world_.mountpoint.string();
  EXPECT_EQ(lazyvol({"profile", "record", mount, file_, "--", "sh", "-c", "exit 7"}).status, 7);
  EXPECT_TRUE(model::parse_profile(read_file(file_)).ok());
  const Ran missing = lazyvol({"profile", "record", mount, file_, "--", "/no/such/program"});
  EXPECT_EQ(missing.status, daemon::kExitFailed);
}

TEST_F(ProfileCommand, WhatIsWrongIsOneLine) {
  const auto refused = [](const std::vector<std::string>& words, int status) {
    const Ran ran = lazyvol(words);
    EXPECT_EQ(ran.status, status) << ran.err;
    expect_one_line(ran.err);
    return ran.err;
  };
  refused({"profile"}, daemon::kExitUsage);
  refused({"profile", "record", "/tmp", file_}, daemon::kExitFailed);
  EXPECT_NE(refused({"profile", "show", file_}, daemon::kExitFailed).find(file_),
            std::string::npos);
  write_file(file_, "lazyvol-profile 1\nbin/app 5-3\n");
  EXPECT_NE(refused({"profile", "show", file_}, daemon::kExitFailed).find("line 2"),
            std::string::npos);
  const Ran mounted = world_.mount(nginx_.url(), "prefetch-profile=" + file_);
  EXPECT_EQ(mounted.status, daemon::kExitMountFailure);
  expect_one_line(mounted.err);
  EXPECT_NE(mounted.err.find("prefetch-profile"), std::string::npos) << mounted.err;
  world_.must_mount(nginx_.url());
  refused({"profile", "record", world_.mountpoint.string(), "/no/such/dir/file"},
          daemon::kExitFailed);
}

}  // namespace
}  // namespace lazyvol::e2e
