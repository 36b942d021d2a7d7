// A mount of a git repository over a real server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/control_client.h"
#include "e2e/world.h"
#include "support/git_server.h"
#include "support/lfs_store.h"
#include "support/temp_dir.h"

namespace lazyvol::e2e {
namespace {

namespace fs = std::filesystem;
using testing::noise;
using testing::read_file;
using testing::write_file;

/// Types, modes and targets of all below `root`, by path; without ".git".
std::map<std::string, std::string> facts_of(const fs::path& root) {
  std::map<std::string, std::string> out;
  for (auto at = fs::recursive_directory_iterator(root); at != fs::recursive_directory_iterator();
       ++at) {
    const std::string path = at->path().lexically_relative(root).string();
    if (path == ".git") {
      at.disable_recursion_pending();
      continue;
    }
    struct stat status {};
    EXPECT_EQ(::lstat(at->path().c_str(), &status), 0) << path;
    std::string fact = std::to_string(status.st_mode);
    if (S_ISLNK(status.st_mode)) fact += " " + fs::read_symlink(at->path()).string();
    if (S_ISREG(status.st_mode)) fact += " " + read_file(at->path());
    out.emplace(path, fact);
  }
  return out;
}

class GitMount : public ::testing::Test {
 protected:
  std::string url() const { return "git+" + server_.url(); }
  void refresh() {
    const Ran ran = lazyvol({"refresh", world_.mountpoint.string()});
    EXPECT_EQ(ran.status, 0) << ran.err;
  }
  void clone_to(const fs::path& path) const {
    ::umask(022);
    const auto made =
        testing::run({"git", "clone", "-q", repository_.bare().string(), path.string()});
    EXPECT_EQ(made.status, 0) << made.output;
  }

  testing::GitRepository repository_;
  testing::GitHttpServer server_{repository_.root()};
  World world_;
};

TEST_F(GitMount, TreeEqualsAClone) {
  for (int i = 0; i < 200; ++i) {
    repository_.put("many/f" + std::to_string(i), noise(static_cast<std::size_t>(i) * 37, i));
  }
  repository_.put("big", noise((9 << 20) + 11, 1));
  repository_.put("tool", "#!/bin/sh\necho hello\n", true);
  repository_.put("a b/\xff\n", "odd");
  repository_.put("empty", "");
  fs::create_symlink("../big", repository_.work() / "many/link");
  fs::create_symlink("nowhere", repository_.work() / "dangling");
  const std::string commit = repository_.commit();
  world_.must_mount(url());
  std::array<char, 100> value{};
  const ssize_t length =
      ::getxattr(world_.mountpoint.c_str(), "user.lazyvol.commit", value.data(), value.size());
  EXPECT_EQ(std::string(value.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0))),
            commit);
  clone_to(world_.origin / "clone");
  EXPECT_EQ(facts_of(world_.mountpoint), facts_of(world_.origin / "clone"));
  EXPECT_FALSE(fs::exists(world_.mountpoint / ".git"));
  const auto ran = testing::run({(world_.mountpoint / "tool").string()});
  EXPECT_EQ(ran.output, "hello\n");
  EXPECT_EQ(daemon::json_text(world_.status(), "/mounts/0/scheme"), "git");
  EXPECT_EQ(world_.umount().status, 0);
}

TEST_F(GitMount, NoBlobIsFetchedByLookingAround) {
  for (int i = 0; i < 300; ++i) {
    repository_.put("d" + std::to_string(i % 10) + "/f" + std::to_string(i), noise(5000, i));
  }
  repository_.commit();
  world_.must_mount(url());
  server_.nginx().clear_access_log();
  EXPECT_EQ(tree_of(world_.mountpoint).size(), 310U);
  EXPECT_EQ(fs::file_size(world_.mountpoint / "d3/f3"), 5000U);
  EXPECT_TRUE(server_.nginx().access_log().empty());
  for (const auto& file : fs::directory_iterator(world_.mountpoint / "d3")) {
    EXPECT_EQ(read_file(file.path()).size(), 5000U);
  }
  EXPECT_LE(server_.nginx().access_log().size(), 4U);
}

// Directories are taken along in growing numbers, by whoever goes through them in order.
TEST_F(GitMount, AWalkOverManyDirectoriesTakesFewRequests) {
  constexpr int kDirectories = 40, kFiles = 25;
  for (int i = 0; i < kDirectories * kFiles; ++i) {
    repository_.put("d" + std::to_string(100 + i / kFiles) + "/f" + std::to_string(i),
                    noise(3000, i));
  }
  repository_.commit();
  world_.must_mount(url());
  server_.nginx().clear_access_log();
  std::set<fs::path> directories;
  for (const auto& one : fs::directory_iterator(world_.mountpoint)) directories.insert(one.path());
  std::size_t files = 0;
  for (const auto& directory : directories) {
    std::set<fs::path> names;
    for (const auto& file : fs::directory_iterator(directory)) names.insert(file.path());
    for (const auto& name : names) {
      EXPECT_EQ(read_file(name).size(), 3000U);
      ++files;
    }
  }
  EXPECT_EQ(files, static_cast<std::size_t>(kDirectories * kFiles));
  // 25, 50, 100, 200, 400 and the rest, by two requests each.
  EXPECT_LE(server_.nginx().access_log().size(), 12U);
}

TEST_F(GitMount, ARefreshShowsANewCommitAndARewrittenBranch) {
  repository_.put("kept", "kept");
  repository_.put("changed", "old");
  repository_.put("gone", "gone");
  repository_.commit("one", 1'600'000'000);
  world_.must_mount(url(), "refresh=never");
  std::ifstream open(world_.mountpoint / "changed");
  EXPECT_EQ(read_file(world_.mountpoint / "changed"), "old");
  struct stat before {
  }, after{};
  ::stat((world_.mountpoint / "kept").c_str(), &before);
  fs::remove(repository_.work() / "gone");
  repository_.put("changed", "new bytes");
  repository_.put("dir/added", "added");
  repository_.commit("two", 1'600'000'100);
  EXPECT_EQ(read_file(world_.mountpoint / "changed"), "old");
  refresh();
  EXPECT_EQ(read_file(world_.mountpoint / "changed"), "new bytes");
  EXPECT_EQ(read_file(world_.mountpoint / "dir/added"), "added");
  EXPECT_FALSE(fs::exists(world_.mountpoint / "gone"));
  std::string old;
  open >> old;
  EXPECT_EQ(old, "old");
  ::stat((world_.mountpoint / "kept").c_str(), &after);
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_EQ(before.st_mtime, after.st_mtime);
  ::stat((world_.mountpoint / "changed").c_str(), &after);
  EXPECT_EQ(after.st_mtime, 1'600'000'100);
  repository_.git({"checkout", "-q", "--orphan", "other"});
  repository_.put("changed", "rewritten");
  repository_.commit("three");
  refresh();
  EXPECT_EQ(read_file(world_.mountpoint / "changed"), "rewritten");
}

TEST_F(GitMount, AnOutageServesWhatIsKnownAndARestartToo) {
  repository_.put("cached", noise(100'000, 1));
  repository_.put("dir/other", noise(3 << 20, 2));
  repository_.commit();
  world_.must_mount(url(), "io-timeout=2");
  EXPECT_EQ(read_file(world_.mountpoint / "cached"), noise(100'000, 1));
  server_.nginx().stop();
  EXPECT_EQ(read_file(world_.mountpoint / "cached"), noise(100'000, 1));
  EXPECT_EQ(read_errno(world_.mountpoint / "dir/other"), EIO);
  EXPECT_EQ(world_.umount().status, 0);
  world_.restart();
  world_.must_mount(url(), "io-timeout=2");
  EXPECT_EQ(tree_of(world_.mountpoint).size(), 3U);
  EXPECT_EQ(read_file(world_.mountpoint / "cached"), noise(100'000, 1));
  server_.nginx().start();
  EXPECT_TRUE(eventually([&] { return read_errno(world_.mountpoint / "dir/other") == 0; }));
}

TEST_F(GitMount, TwoMountsShareOneMirror) {
  repository_.put("a", "1");
  repository_.commit();
  world_.must_mount(url());
  const fs::path second = world_.origin / "second";
  fs::create_directory(second);
  const Ran ran =
      lazyvol({"mount", url(), second.string(), "-o", "cache-dir=" + world_.cache.string()});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(read_file(second / "a"), "1");
  EXPECT_EQ(lazyvol({"umount", second.string()}).status, 0);
  EXPECT_EQ(read_file(world_.mountpoint / "a"), "1");
}

TEST_F(GitMount, WhatMakesNoSenseIsRefusedInOneLine) {
  repository_.put("a", "1");
  repository_.commit();
  const std::pair<std::string, std::string> cases[] = {
      {"ref=nothing", "'nothing'"}, {"key=ed25519:00", "key"}, {"revision=3", "ref="}};
  for (const auto& [option, word] : cases) {
    const Ran ran = world_.mount(url(), option);
    EXPECT_NE(ran.status, 0) << option;
    expect_one_line(ran.err);
    EXPECT_NE(ran.err.find(word), std::string::npos) << ran.err;
  }
  for (const char* option : {"ref=main", "lfs=yes"}) {
    const Ran ran = world_.mount(world_.origin.string(), option);
    EXPECT_NE(ran.status, 0);
    EXPECT_NE(ran.err.find("git repository"), std::string::npos) << ran.err;
  }
}

/// Its *.bin are in git-lfs; git-lfs itself makes the pointers.
class GitLfsMount : public GitMount {
 protected:
  GitLfsMount() {
    testing::GitHttpOptions options;
    options.lfs = store_.directory();
    lfs_server_.emplace(repository_.root(), options);
    repository_.put(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    repository_.git({"config", "filter.lfs.clean", "git-lfs clean -- %f"});
    repository_.git({"config", "filter.lfs.required", "true"});
    repository_.git({"config", "core.hooksPath", "/dev/null"});  // git-lfs adds one for pushing
  }
  std::string lfs_url() const { return "git+" + lfs_server_->url(); }
  /// Commits, and takes the objects to where the server has them.
  void commit() {
    repository_.commit();
    for (const auto& one :
         fs::recursive_directory_iterator(repository_.work() / ".git/lfs/objects")) {
      if (one.is_regular_file()) store_.add(read_file(one.path()));
    }
  }

  testing::LfsStore store_;
  std::optional<testing::GitHttpServer> lfs_server_;
};

TEST_F(GitLfsMount, TreeEqualsACloneWithGitLfs) {
  const std::string big = noise((9 << 20) + 11, 1);
  repository_.put("big.bin", big);
  for (int i = 0; i < 20; ++i) {
    repository_.put("many/" + std::to_string(i) + ".bin",
                    noise(static_cast<std::size_t>(i) * 997, i));
  }
  repository_.put("tool.bin", "#!/bin/sh\necho hello\n", true);
  repository_.put("plain", "plain");
  commit();
  world_.must_mount(lfs_url(), "lfs=yes");
  const testing::TempDir temp;
  const fs::path clone = temp.path() / "clone";
  ::umask(022);
  const auto made =
      testing::run({"git", "-c", "filter.lfs.smudge=git-lfs smudge -- %f", "-c",
                    "filter.lfs.required=true", "clone", "-q", lfs_server_->url(), clone.string()});
  ASSERT_EQ(made.status, 0) << made.output;
  ASSERT_EQ(fs::file_size(clone / "big.bin"), big.size());
  EXPECT_EQ(fs::file_size(world_.mountpoint / "big.bin"), big.size());
  EXPECT_EQ(facts_of(world_.mountpoint), facts_of(clone));
}

TEST_F(GitLfsMount, FollowsCommitsAndOutlivesAMissingObject) {
  repository_.put("a.bin", "old bytes");
  repository_.put("gone.bin", "gone bytes");
  commit();
  fs::remove(store_.directory() / "objects" / testing::LfsStore::oid("gone bytes"));
  world_.must_mount(lfs_url(), "lfs=yes");
  EXPECT_EQ(read_file(world_.mountpoint / "a.bin"), "old bytes");
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(read_errno(world_.mountpoint / "gone.bin"), EIO);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5)) << "at once";
  EXPECT_EQ(fs::file_size(world_.mountpoint / "gone.bin"), 10U);
  repository_.put("a.bin", "new and longer");
  commit();
  refresh();
  EXPECT_EQ(read_file(world_.mountpoint / "a.bin"), "new and longer");
  ASSERT_EQ(world_.umount().status, 0);
  world_.must_mount(lfs_url());
  EXPECT_EQ(read_file(world_.mountpoint / "a.bin"), testing::LfsStore::pointer("new and longer"));
}

TEST(GitMountAccess, AWrongPasswordIsOneLine) {
  testing::GitRepository repository;
  testing::GitHttpOptions options;
  options.user = "me";
  options.password = "secret";
  testing::GitHttpServer server(repository.root(), options);
  repository.put("a", "1");
  repository.commit();
  World world;
  const fs::path file = world.origin / "credentials.toml";
  write_file(file, "username = \"me\"\npassword = \"wr0ngw0rd\"\n");
  fs::permissions(file, fs::perms(0600));
  const Ran ran = world.mount("git+" + server.url(), "credentials=" + file.string());
  EXPECT_EQ(ran.status, 32);
  expect_one_line(ran.err);
  EXPECT_EQ(ran.err.find("wr0ngw0rd"), std::string::npos);
  write_file(file, "username = \"me\"\npassword = \"secret\"\n");
  world.must_mount("git+" + server.url(), "credentials=" + file.string());
  EXPECT_EQ(read_file(world.mountpoint / "a"), "1");
}

}  // namespace
}  // namespace lazyvol::e2e
