// A volume in a bucket of a real radosgw: published there, mounted from there, cleared up there.
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "daemon/cli.h"
#include "e2e/world.h"
#include "source/s3_bucket.h"
#include "support/process.h"
#include "support/radosgw.h"
#include "support/temp_dir.h"

namespace lazyvol::e2e {
namespace {

namespace fs = std::filesystem;
using daemon::ControlJson;
using testing::noise;
using testing::Radosgw;
using testing::write_file;

class S3Publish : public ::testing::Test {
 protected:
  S3Publish() {
    write_file(tree_ / "small.txt", "hello\n");
    write_file(tree_ / "empty", "");
    write_file(tree_ / "big.bin", noise(20 << 20, 4));
    write_file(tree_ / "dir/a b+c%d&e.txt", noise(1000, 5));
    for (int i = 0; i < 50; ++i) {
      write_file(tree_ / "many" / std::to_string(i), noise(static_cast<std::size_t>(i) * 100, 7));
    }
    fs::create_symlink("dir", tree_ / "link");
    write_file(keys_, fmt::format("access-key-id = '{}'\nsecret-access-key = '{}'\n",
                                  Radosgw::kAccessKey, Radosgw::kSecretKey));
    EXPECT_EQ(::chmod(keys_.c_str(), 0600), 0);
  }

  std::string volume() const { return "s3://" + bucket_.name() + "/data/volume"; }
  std::string options() const {
    return "endpoint=" + Radosgw::shared().endpoint() + ",credentials=" + keys_.string();
  }
  std::vector<std::string> publish_words() const {
    return {"publish", "--json",  "--state-dir",  (dir_.path() / "state").string(),
            "-o",      options(), tree_.string(), volume()};
  }
  ControlJson publish() {
    const Ran ran = lazyvol(publish_words());
    EXPECT_EQ(ran.status, daemon::kExitOk) << ran.err;
    return ran.status == daemon::kExitOk ? ControlJson::parse(ran.out) : ControlJson::object();
  }
  /// A command about the volume.
  Ran ask(std::vector<std::string> words) {
    words.insert(words.begin() + 1, {"-o", options(), volume()});
    return lazyvol(words);
  }
  std::string verify() {
    const Ran ran = ask({"verify", "--all"});
    return ran.status == daemon::kExitOk ? "whole" : ran.out + ran.err;
  }

  testing::TempDir dir_;
  const fs::path tree_ = dir_.path() / "tree", keys_ = dir_.path() / "keys.toml";
  World world_;
  source::S3Bucket bucket_;
};

TEST_F(S3Publish, ATreeIsPublishedMountedChangedAndClearedUp) {
  EXPECT_EQ(publish()["sequence"], 1);
  EXPECT_EQ(verify(), "whole");
  world_.must_mount(volume(), options() + ",refresh=never");
  expect_same_tree(tree_, world_.mountpoint);
  EXPECT_EQ(fs::read_symlink(world_.mountpoint / "link"), "dir");

  EXPECT_EQ(publish()["changed"], false);
  write_file(tree_ / "big.bin", noise(20 << 20, 40));
  write_file(tree_ / "new/file", "new");
  fs::remove(tree_ / "small.txt");
  const ControlJson second = publish();
  EXPECT_EQ(second["sequence"], 2);
  EXPECT_EQ(second["files_read"], 2);
  EXPECT_EQ(testing::read_file(world_.mountpoint / "small.txt"), "hello\n") << "not looked at yet";
  const Ran refreshed = lazyvol({"refresh", world_.mountpoint.string()});
  EXPECT_EQ(refreshed.status, daemon::kExitOk) << refreshed.err;
  expect_same_tree(tree_, world_.mountpoint);

  const Ran revisions = ask({"revisions", "--json"});
  EXPECT_EQ(std::count(revisions.out.begin(), revisions.out.end(), '\n'), 2) << revisions.out;
  const Ran diff = ask({"diff", "1", "2"});
  EXPECT_NE(diff.out.find("M big.bin\n"), std::string::npos) << diff.out << diff.err;

  const Ran nothing = ask({"gc", "--keep", "1", "--json"});
  EXPECT_EQ(nothing.status, daemon::kExitOk) << nothing.err;
  EXPECT_EQ(ControlJson::parse(nothing.out)["removed_packs"], 0) << "all is young";
  const Ran gc = ask({"gc", "--keep", "1", "--grace", "0", "--json"});
  ASSERT_EQ(gc.status, daemon::kExitOk) << gc.err;
  EXPECT_EQ(ControlJson::parse(gc.out)["revisions_removed"], ControlJson::array({1}));
  EXPECT_GT(ControlJson::parse(gc.out)["removed_packs"], 0);
  EXPECT_EQ(verify(), "whole");
  world_.restart();
  world_.must_mount(volume(), options());
  expect_same_tree(tree_, world_.mountpoint);
}

// The stops are at random moments of the whole, so each round says when it was.
TEST_F(S3Publish, AKilledPublisherLeavesTheOldHead) {
  EXPECT_EQ(publish()["sequence"], 1);
  const fs::path before = dir_.path() / "before";
  fs::copy(tree_, before, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  std::uint64_t seed = 1000;
  int killed = 0;
  for (const int delay_ms : {150, 400, 800, 1500}) {
    for (int i = 0; i < 30; ++i) {
      write_file(tree_ / "more" / std::to_string(i), noise(3'000'000, seed++));
    }
    std::vector<std::string> argv = publish_words();
    argv.insert(argv.begin(), std::string(LAZYVOL_TOOLS_DIR) + "/lazyvol");
    testing::Process publisher({argv, {}, dir_.path() / "out.log"});
    std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    if (!publisher.kill()) break;  // a fast machine
    ++killed;
    EXPECT_EQ(verify(), "whole") << delay_ms;
    world_.must_mount(volume(), options());
    // All or nothing: its last deed may have been the head.
    const bool published = fs::exists(world_.mountpoint / "more");
    expect_same_tree(published ? tree_ : before, world_.mountpoint);
    EXPECT_EQ(world_.umount().status, daemon::kExitOk);
    if (published) break;
  }
  EXPECT_GT(killed, 0);
  (void)publish();
  EXPECT_EQ(verify(), "whole");
  world_.must_mount(volume(), options());
  expect_same_tree(tree_, world_.mountpoint);
  const Ran gc = ask({"gc", "--keep", "1", "--grace", "0"});
  EXPECT_EQ(gc.status, daemon::kExitOk) << gc.err;
  EXPECT_EQ(verify(), "whole");
}

TEST_F(S3Publish, WhatIsWrongIsOneLineWithoutSecrets) {
  const auto refused = [&](const std::string& destination, const std::string& options) {
    const Ran ran = lazyvol({"publish", "--state-dir", (dir_.path() / "state").string(), "-o",
                             options, tree_.string(), destination});
    EXPECT_EQ(ran.status, daemon::kExitFailed) << ran.err;
    expect_one_line(ran.err);
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(ran.err.find("hunter2"), std::string::npos) << ran.err;
    return ran.err;
  };
  EXPECT_NE(refused("s3://no-such-bucket/v", options()).find("no such bucket"), std::string::npos);
  const std::string endpoint = "endpoint=" + Radosgw::shared().endpoint();
  EXPECT_NE(refused(volume(), endpoint + ",no-sign-request").find("AccessDenied"),
            std::string::npos);
  const fs::path wrong = dir_.path() / "wrong.toml";
  write_file(wrong, fmt::format("access-key-id = '{}'\nsecret-access-key = 'hunter2'\n",
                                Radosgw::kAccessKey));
  EXPECT_EQ(::chmod(wrong.c_str(), 0600), 0);
  EXPECT_NE(refused(volume(), endpoint + ",credentials=" + wrong.string())
                .find("the secret access key is not the right one"),
            std::string::npos);
  const Ran none = ask({"revisions"});
  EXPECT_EQ(none.status, daemon::kExitFailed);
  EXPECT_NE(none.err.find("holds no published volume"), std::string::npos) << none.err;
}

}  // namespace
}  // namespace lazyvol::e2e
