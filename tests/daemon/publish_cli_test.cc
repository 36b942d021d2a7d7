// publish, on real trees and directories.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "daemon/cli_run.h"
#include "daemon/paths.h"
#include "support/temp_dir.h"

namespace lazyvol::daemon {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::noise;

class PublishCli : public ::testing::Test {
 protected:
  PublishCli() {
    for (int i = 0; i < 20; ++i) {
      testing::write_file(tree() / "dir" / ("f" + std::to_string(i)), noise(3'000, i));
    }
    testing::write_file(tree() / "big", noise(3'000'000, 100));
    fs::create_symlink("dir/f1", tree() / "link");
  }
  fs::path tree() const { return temp_.path() / "tree"; }
  std::string path(const char* name) const { return (temp_.path() / name).string(); }
  static Ran lazyvol(const Words& words) { return run(lazyvol_main, words); }
  Ran publish(Words more = {}) {
    Words words{"publish", tree().string(), path("volume"), "--state-dir", path("state")};
    words.insert(words.end(), more.begin(), more.end());
    return lazyvol(words);
  }
  json published(Words more = {}) {
    more.push_back("--json");
    const Ran ran = publish(more);
    EXPECT_EQ(ran.status, kExitOk) << ran.err;
    return ran.status == kExitOk ? json::parse(ran.out) : json::object();
  }
  std::string verify() {
    const Ran ran = lazyvol({"verify", path("volume"), "--all"});
    return ran.status == kExitOk ? "whole" : ran.out + ran.err;
  }
  testing::TempDir temp_;
};

TEST_F(PublishCli, ATreeBecomesRevisions) {
  const json first = published({"--tag", "v1", "--tag", "first"});
  EXPECT_EQ(first["sequence"], 1);
  EXPECT_EQ(first["files"], 21);
  EXPECT_EQ(first["directories"], 1);
  EXPECT_EQ(first["symlinks"], 1);
  EXPECT_EQ(first["bytes"], 3'060'000);
  EXPECT_EQ(first["files_read"], 21);
  EXPECT_EQ(verify(), "whole");

  const json same = published();
  EXPECT_EQ(same["sequence"], 1);
  EXPECT_EQ(same["changed"], false);
  testing::write_file(tree() / "dir/f3", noise(100, 200));
  fs::rename(tree() / "big", tree() / "dir/big");
  const Ran second = publish();
  EXPECT_EQ(second.status, kExitOk) << second.err;
  EXPECT_TRUE(second.out.starts_with("revision 2: 21 files, 1 directories, 1 symlinks, "))
      << second.out;
  EXPECT_EQ(std::count(second.out.begin(), second.out.end(), '\n'), 2) << second.out;
  EXPECT_EQ(second.err, "");
  EXPECT_EQ(verify(), "whole");

  const std::string diff = lazyvol({"diff", path("volume"), "v1", "2"}).out;
  EXPECT_NE(diff.find("R big -> dir/big\n"), std::string::npos) << diff;
  EXPECT_NE(diff.find("M dir/f3\n"), std::string::npos) << diff;
  const Ran revisions = lazyvol({"revisions", path("volume")});
  EXPECT_NE(revisions.out.find("first,v1"), std::string::npos) << revisions.out;
  EXPECT_EQ(lazyvol({"gc", path("volume"), "--keep", "1"}).status, kExitOk);
  EXPECT_EQ(verify(), "whole");
}

TEST_F(PublishCli, WhatIsLeftOutIsNamed) {
  ASSERT_EQ(mkfifo((tree() / "dir/pipe").c_str(), 0600), 0);
  const Ran ran = publish();
  EXPECT_EQ(ran.status, kExitOk);
  expect_one_line(ran.err);
  EXPECT_NE(ran.err.find("left out: dir/pipe"), std::string::npos) << ran.err;
}

TEST_F(PublishCli, SignedVolumesNeedTheirKey) {
  ASSERT_EQ(lazyvol({"keygen", path("key")}).status, kExitOk);
  ASSERT_EQ(lazyvol({"keygen", path("other")}).status, kExitOk);
  (void)published({"--key", path("key"), "--expires", "30d"});
  EXPECT_EQ(lazyvol({"verify", path("volume"), "--key", path("key.pub")}).status, kExitOk);
  EXPECT_EQ(lazyvol({"verify", path("volume"), "--key", path("other.pub")}).status, kExitFailed);
  testing::write_file(tree() / "new", "x");
  for (const Words& words : {Words{}, Words{"--key", path("other")}}) {
    const Ran ran = publish(words);
    EXPECT_EQ(ran.status, kExitFailed);
    expect_one_line(ran.err);
    EXPECT_NE(ran.err.find("is signed by ed25519:"), std::string::npos) << ran.err;
  }
  EXPECT_EQ(published({"--key", path("key")})["sequence"], 2);
}

TEST_F(PublishCli, KeysThatOthersCanReadAreRefused) {
  ASSERT_EQ(lazyvol({"keygen", path("key")}).status, kExitOk);
  chmod(path("key").c_str(), 0644);
  const Ran ran = publish({"--key", path("key")});
  EXPECT_EQ(ran.status, kExitFailed);
  expect_one_line(ran.err);
  EXPECT_NE(ran.err.find("0600"), std::string::npos) << ran.err;
  testing::write_file(temp_.path() / "no-key", "-----BEGIN NONSENSE-----\nhunter2\n");
  chmod(path("no-key").c_str(), 0600);
  const Ran nonsense = publish({"--key", path("no-key")});
  EXPECT_EQ(nonsense.status, kExitFailed);
  EXPECT_EQ(nonsense.err.find("hunter2"), std::string::npos) << nonsense.err;
  EXPECT_FALSE(fs::exists(path("volume"))) << "nothing is made before all is clear";
}

TEST_F(PublishCli, BadTreesAndDestinations) {
  testing::write_file(temp_.path() / "file", "x");
  for (const Words& words :
       {Words{"publish", path("none"), path("volume")},
        Words{"publish", path("file"), path("volume")},
        Words{"publish", tree().string(), path("file")},
        Words{"publish", tree().string(), path("volume"), "--key", "none"},
        Words{"publish", tree().string(), path("volume"), "--profile", path("none")}}) {
    Words full = words;
    full.insert(full.end(), {"--state-dir", path("state")});
    const Ran ran = lazyvol(full);
    EXPECT_EQ(ran.status, kExitFailed) << words.back();
    expect_one_line(ran.err);
    EXPECT_EQ(ran.out, "");
  }
}

TEST_F(PublishCli, ADestinationOfOtherThingsIsNoPlaceForAVolume) {
  (void)published();
  // The arguments exchanged: nothing may come into the tree.
  const Ran ran =
      lazyvol({"publish", path("volume"), tree().string(), "--state-dir", path("other-state")});
  EXPECT_EQ(ran.status, kExitFailed);
  EXPECT_NE(ran.err.find("is a published volume itself"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("holds no volume but other things"), std::string::npos) << ran.err;
  EXPECT_FALSE(fs::exists(tree() / "packs"));
  EXPECT_FALSE(fs::exists(tree() / ".lazyvol"));
  // What a killed first publish left is a beginning.
  fs::remove(temp_.path() / "volume/lazyvol-head");
  fs::create_directories(temp_.path() / "volume/lost+found");
  EXPECT_EQ(publish().status, kExitOk);
}

TEST_F(PublishCli, SlipsInTheDestinationAreUsage) {
  for (const Words& words :
       {Words{"s3:/bucket/x"}, Words{"gs://bucket/x"}, Words{"http://host/x"}, Words{""},
        Words{path("volume"), "-o", "endpoint=http://127.0.0.1:1"}}) {
    Words full{"publish", tree().string()};
    full.insert(full.end(), words.begin(), words.end());
    const Ran ran = lazyvol(full);
    EXPECT_EQ(ran.status, kExitUsage) << words.front() << ": " << ran.err;
    expect_one_line(ran.err);
    EXPECT_EQ(ran.err.find("SOURCE"), std::string::npos) << ran.err;
  }
  EXPECT_FALSE(fs::exists("s3:"));
  EXPECT_FALSE(fs::exists(path("volume")));
}

TEST_F(PublishCli, AFullDiskOfTheStateIsOneLine) {
  const fs::path disk = temp_.path() / "disk";
  fs::create_directory(disk);
  ASSERT_EQ(::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=1m"), 0) << "needs the right to mount";
  const Ran ran = lazyvol(
      {"publish", tree().string(), path("volume"), "--state-dir", (disk / "state").string()});
  ::umount2(disk.c_str(), MNT_DETACH);
  EXPECT_EQ(ran.status, kExitFailed);
  expect_one_line(ran.err);
  EXPECT_NE(ran.err.find("64 MiB"), std::string::npos) << ran.err;
}

TEST_F(PublishCli, AProfileMakesAHotPack) {
  testing::write_file(temp_.path() / "profile", "dir/f1\n/dir/f2\n./big\n\nnot-there\n");
  const Ran ran = publish({"--profile", path("profile"), "--json"});
  ASSERT_EQ(ran.status, kExitOk) << ran.err;
  EXPECT_EQ(json::parse(ran.out)["profile_unknown"], 1);
  expect_one_line(ran.err);
  EXPECT_NE(ran.err.find("1 of 4 paths"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("'not-there'"), std::string::npos) << ran.err;
  EXPECT_EQ(verify(), "whole");
}

TEST_F(PublishCli, ASignalLeavesTheOldHead) {
  (void)published();
  const std::string before = testing::read_file(temp_.path() / "volume/lazyvol-head");
  for (int i = 0; i < 200; ++i) {
    testing::write_file(tree() / "more" / std::to_string(i), noise(300'000, 1'000 + i));
  }
  // Pending from before, so that it comes at the very beginning.
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, &old);
  kill(getpid(), SIGTERM);
  const Ran ran = publish();
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  EXPECT_EQ(ran.status, 143) << ran.out;
  expect_one_line(ran.err);
  EXPECT_EQ(testing::read_file(temp_.path() / "volume/lazyvol-head"), before);
  EXPECT_EQ(published()["sequence"], 2);
  EXPECT_EQ(verify(), "whole");
}

TEST_F(PublishCli, ALostPackHealsFromTheTree) {
  (void)published();
  fs::path longest;
  for (const auto& entry : fs::recursive_directory_iterator(temp_.path() / "volume/packs")) {
    if (!entry.is_regular_file()) continue;
    if (longest.empty() || entry.file_size() > fs::file_size(longest)) longest = entry.path();
  }
  fs::remove(longest);
  EXPECT_NE(verify(), "whole");
  testing::write_file(tree() / "new", "x");
  (void)published();
  EXPECT_EQ(lazyvol({"verify", path("volume")}).status, kExitOk);
}

TEST(StateDir, IsOneForEachDestination) {
  const auto user = [](uid_t uid, std::map<std::string, std::string> env) {
    return UserContext{uid, [env](const char* name) -> std::optional<std::string> {
                         const auto found = env.find(name);
                         if (found == env.end()) return std::nullopt;
                         return found->second;
                       }};
  };
  const auto root = default_state_dir(user(0, {{"HOME", "/root"}}), "/srv/volume");
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(root->parent_path(), "/var/lib/lazyvol/publish");
  EXPECT_EQ(root->filename().string().size(), 16U);
  EXPECT_NE(*root, *default_state_dir(user(0, {}), "/srv/other"));
  EXPECT_EQ(default_state_dir(user(7, {{"HOME", "/home/me"}}), "/v")->parent_path(),
            "/home/me/.local/state/lazyvol/publish");
  EXPECT_EQ(default_state_dir(user(7, {{"XDG_STATE_HOME", "/s"}}), "/v")->parent_path(),
            "/s/lazyvol/publish");
  EXPECT_FALSE(default_state_dir(user(7, {}), "/v").ok());
}

}  // namespace
}  // namespace lazyvol::daemon
