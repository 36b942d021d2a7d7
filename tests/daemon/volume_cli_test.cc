// The commands about published volumes, on volumes in real directories.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "catalog/pack.h"
#include "catalog/signing_key.h"
#include "daemon/cli_parse.h"
#include "daemon/cli_run.h"
#include "daemon/interrupt.h"
#include "publish/dir_store.h"
#include "publish/sample_volume.h"
#include "support/temp_dir.h"

namespace lazyvol::daemon {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::noise;

class VolumeCli : public ::testing::Test {
 protected:
  VolumeCli()
      : store_(*publish::make_dir_store(dir())),
        volume_(*store_, catalog::SecretKey::from_seed({1})) {
    volume_.make_directory("doc");
    volume_.write("doc/a", noise(10'000, 1));
    volume_.write("doc/b", noise(10'000, 2));
    publish("v1");
    volume_.write("doc/c", noise(500, 3));
    volume_.move("doc/b", "renamed");
    publish();
  }
  void publish(const std::string& tag = {}) {
    const auto head = volume_.publish(1'700'000'000'000'000'000, tag);
    ASSERT_TRUE(head.ok()) << head.error().message;
  }
  std::string dir() const { return (temp_.path() / "volume").string(); }
  std::string path(const char* name) const { return (temp_.path() / name).string(); }
  static Ran lazyvol(const Words& words) { return run(lazyvol_main, words); }
  static std::vector<json> lines(const std::string& text) {
    std::vector<json> result;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) result.push_back(json::parse(line));
    return result;
  }
  /// Turns a byte of the longest pack.
  void damage() {
    fs::path longest;
    for (const auto& entry : fs::recursive_directory_iterator(temp_.path() / "volume/packs")) {
      if (!entry.is_regular_file()) continue;
      if (longest.empty() || entry.file_size() > fs::file_size(longest)) longest = entry.path();
    }
    std::string bytes = testing::read_file(longest);
    bytes[100] ^= 1;
    testing::write_file(longest, bytes);
  }
  void make_old() {
    for (const auto& entry : fs::recursive_directory_iterator(dir())) {
      if (!entry.is_regular_file()) continue;
      fs::last_write_time(entry.path(), fs::file_time_type::clock::now() - std::chrono::hours(48));
    }
  }

  testing::TempDir temp_;
  std::unique_ptr<publish::Store> store_;
  publish::SampleVolume volume_;
};

TEST_F(VolumeCli, Revisions) {
  const Ran ran = lazyvol({"revisions", dir()});
  EXPECT_EQ(ran.status, kExitOk) << ran.err;
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 3) << ran.out;
  EXPECT_NE(ran.out.find("2023-11-14 22:13:20Z"), std::string::npos) << ran.out;
  const std::string signer = catalog::SecretKey::from_seed({1}).public_key().text();
  EXPECT_NE(ran.out.find("  " + signer.substr(8, 16) + "  "), std::string::npos) << ran.out;
  const auto rows = lines(lazyvol({"revisions", dir(), "--json"}).out);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["sequence"], 2);
  EXPECT_EQ(rows[0]["head"], true);
  EXPECT_EQ(rows[1]["tags"], json::array({"v1"}));
  EXPECT_GT(rows[1]["new_bytes"], 20'000);
  EXPECT_LT(rows[0]["new_bytes"], 3'000);
  EXPECT_EQ(rows[0]["signer"], signer);
}

TEST_F(VolumeCli, RevisionsNameADamagedOne) {
  testing::write_file(temp_.path() / "volume/revisions/1", "nonsense");
  const Ran ran = lazyvol({"revisions", dir()});
  EXPECT_EQ(ran.status, kExitFailed);
  expect_one_line(ran.err);
  EXPECT_NE(ran.err.find("revision 1"), std::string::npos) << ran.err;
}

TEST_F(VolumeCli, Diff) {
  for (const char* before : {"1", "v1"}) {
    const Ran ran = lazyvol({"diff", dir(), before, "2"});
    EXPECT_EQ(ran.status, kExitOk) << ran.err;
    EXPECT_EQ(ran.out, "R doc/b -> renamed\n+ doc/c\n");
  }
  const auto rows = lines(lazyvol({"diff", dir(), "1", "2", "--json"}).out);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(
      rows[0],
      (json{{"change", "moved"}, {"type", "file"}, {"path", "renamed"}, {"old_path", "doc/b"}}));
  EXPECT_EQ(lazyvol({"diff", dir(), "2", "2"}).out, "");
  EXPECT_EQ(lazyvol({"diff", dir(), "1", "9"}).status, kExitFailed);
  EXPECT_EQ(lazyvol({"diff", dir(), "1", ".x"}).status, kExitUsage);
}

TEST_F(VolumeCli, NamesThatAreNoTextAreShownAllTheSame) {
  volume_.write("doc/\xff\nx", "y");
  publish();
  EXPECT_EQ(lazyvol({"diff", dir(), "2", "3"}).out, "+ doc/\xff\\x0ax\n");
  const auto rows = lines(lazyvol({"diff", dir(), "2", "3", "--json"}).out);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0]["path_hex"], "646f632fff0a78");
  EXPECT_EQ(printable("a\\b\x7f"), "a\\x5cb\\x7f");
}

TEST_F(VolumeCli, VerifyAWholeVolume) {
  const Ran ran = lazyvol({"verify", dir(), "--all"});
  EXPECT_EQ(ran.status, kExitOk) << ran.out << ran.err;
  EXPECT_TRUE(ran.out.starts_with("whole: 4 heads, ")) << ran.out;
  const auto report = json::parse(lazyvol({"verify", dir(), "--json"}).out);
  EXPECT_EQ(report["damage_total"], 0);
  EXPECT_EQ(report["entries"], 4);
  EXPECT_EQ(lazyvol({"verify", dir(), "--fast", "--revision", "v1"}).status, kExitOk);
  EXPECT_EQ(lazyvol({"verify", dir(), "--revision", "none"}).status, kExitFailed);
  EXPECT_EQ(lazyvol({"verify", dir(), "--revision", "head"}).status, kExitOk);
}

TEST_F(VolumeCli, VerifyTellsWhatDamageHarms) {
  damage();
  const Ran ran = lazyvol({"verify", dir()});
  EXPECT_EQ(ran.status, kExitFailed);
  EXPECT_NE(ran.out.find("a damaged frame at"), std::string::npos) << ran.out;
  EXPECT_TRUE(ran.out.find("  harms doc/a\n") != std::string::npos ||
              ran.out.find("  harms renamed\n") != std::string::npos)
      << ran.out;
  expect_one_line(ran.err);
  const auto report = json::parse(lazyvol({"verify", dir(), "--json"}).out);
  EXPECT_EQ(report["damage"].size(), 1U);
  EXPECT_EQ(lazyvol({"verify", dir(), "--fast"}).status, kExitOk) << "data are not read";
}

TEST_F(VolumeCli, VerifyAsksForTheKey) {
  const auto right = catalog::SecretKey::from_seed({1}).public_key();
  const auto wrong = catalog::SecretKey::from_seed({2}).public_key();
  EXPECT_EQ(lazyvol({"verify", dir(), "--key", right.text()}).status, kExitOk);
  EXPECT_EQ(lazyvol({"verify", dir(), "--key", wrong.text()}).status, kExitFailed);
  testing::write_file(temp_.path() / "key.pub", right.pem());
  EXPECT_EQ(lazyvol({"verify", dir(), "--key", path("key.pub")}).status, kExitOk);
  EXPECT_EQ(lazyvol({"verify", dir(), "--key", path("none")}).status, kExitFailed);
}

TEST_F(VolumeCli, Gc) {
  for (int i = 0; i < 4; ++i) {
    volume_.write("doc/c", noise(5'000, 10 + i));
    publish();
  }
  // All is young: nothing goes.
  Ran ran = lazyvol({"gc", dir(), "--keep", "1"});
  EXPECT_EQ(ran.status, kExitOk) << ran.err;
  EXPECT_NE(ran.out.find("removed 0 revisions and 0 packs"), std::string::npos) << ran.out;
  make_old();
  ran = lazyvol({"gc", dir(), "--keep", "2", "--dry-run"});
  EXPECT_NE(ran.out.find("would remove 4 revisions and "), std::string::npos) << ran.out;
  ran = lazyvol({"gc", dir(), "--keep", "2", "--packs"});
  EXPECT_EQ(ran.status, kExitOk) << ran.err;
  EXPECT_NE(ran.out.find("removed 4 revisions and "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find(" %  packs/"), std::string::npos) << ran.out;
  EXPECT_FALSE(fs::exists(temp_.path() / "volume/revisions/3"));
  EXPECT_TRUE(fs::exists(temp_.path() / "volume/tags/v1"));
  EXPECT_EQ(lazyvol({"verify", dir(), "--all"}).status, kExitOk);
  const auto report = json::parse(lazyvol({"gc", dir(), "--keep", "2", "--json"}).out);
  EXPECT_EQ(report["removed_packs"], 0);
  EXPECT_EQ(report["revisions_kept"], json::array({5, 6}));
  EXPECT_EQ(ran.err, "");
  ran = lazyvol({"gc", dir(), "--keep", "2", "--grace", "0s"});
  EXPECT_EQ(ran.status, kExitOk);
  EXPECT_NE(ran.err.find("less than 12 hours"), std::string::npos) << ran.err;
}

TEST_F(VolumeCli, WhatIsNoVolumeIsOneLine) {
  fs::create_directory(temp_.path() / "empty");
  for (const char* name : {"empty", "none"}) {
    for (const Words& words : {Words{"revisions", path(name)}, Words{"diff", path(name), "1", "2"},
                               Words{"verify", path(name)}, Words{"gc", path(name)}}) {
      const Ran ran = lazyvol(words);
      EXPECT_EQ(ran.status, kExitFailed) << words[0] << ": " << ran.out;
      expect_one_line(ran.err);
      EXPECT_EQ(ran.out, "");
    }
  }
  EXPECT_TRUE(fs::is_empty(temp_.path() / "empty")) << "nothing is left where nothing was";
}

TEST(Keygen, MakesTwoFilesOnce) {
  const testing::TempDir temp;
  const std::string file = (temp.path() / "key").string();
  const Ran ran = run(lazyvol_main, {"keygen", file});
  EXPECT_EQ(ran.status, kExitOk) << ran.err;
  EXPECT_TRUE(ran.out.starts_with("ed25519:")) << ran.out;
  expect_one_line(ran.out);
  struct stat info {};
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  const auto secret = catalog::SecretKey::parse(testing::read_file(file));
  ASSERT_TRUE(secret.ok());
  EXPECT_EQ(ran.out, secret->public_key().text() + "\n");
  const auto shown = catalog::parse_public_key(testing::read_file(file + ".pub"));
  ASSERT_TRUE(shown.ok());
  EXPECT_EQ(*shown, secret->public_key());

  const std::string before = testing::read_file(file);
  const Ran again = run(lazyvol_main, {"keygen", file});
  EXPECT_EQ(again.status, kExitFailed);
  expect_one_line(again.err);
  EXPECT_EQ(testing::read_file(file), before);
  fs::remove(file + ".pub");
  EXPECT_EQ(run(lazyvol_main, {"keygen", file}).status, kExitFailed);
  EXPECT_EQ(testing::read_file(file), before);
  EXPECT_FALSE(fs::exists(file + ".pub")) << "no public key of a secret one that is not there";
  EXPECT_EQ(run(lazyvol_main, {"keygen", (temp.path() / "no/where").string()}).status, kExitFailed);
}

TEST(InterruptTest, SignalsBecomeAStop) {
  for (const auto& [number, status] : {std::pair(SIGINT, 130), std::pair(SIGTERM, 143)}) {
    const Interrupt interrupt;
    EXPECT_EQ(interrupt.exit_status(), 0);
    std::atomic<bool> stopped{false};
    const std::stop_callback callback(interrupt.token(), [&] {
      stopped = true;
      stopped.notify_all();
    });
    kill(getpid(), number);
    stopped.wait(false);
    EXPECT_EQ(interrupt.exit_status(), status);
  }
}

}  // namespace
}  // namespace lazyvol::daemon
