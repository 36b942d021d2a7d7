// A publisher that is killed at any moment leaves the old head, and its work to the next one.
#include <gmock/gmock.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <random>

#include "publish/publish_fixture.h"
#include "publish/volume_reader.h"

extern char** environ;

namespace lazyvol::publish {
namespace {

namespace fs = std::filesystem;
using lazyvol::testing::noise;
using lazyvol::testing::read_file;
using lazyvol::testing::write_file;

// crash_child.cc in a process of its own.
class Child {
 public:
  Child(const fs::path& tree, const fs::path& volume, const fs::path& state) {
    std::string program = LAZYVOL_PUBLISH_CHILD, a = tree, b = volume, c = state;
    const std::array<char*, 5> argv = {program.data(), a.data(), b.data(), c.data(), nullptr};
    EXPECT_EQ(::posix_spawn(&pid_, program.c_str(), nullptr, nullptr, argv.data(), environ), 0);
  }
  ~Child() { end(SIGKILL); }
  bool running() {
    if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = 0;
    return pid_ > 0;
  }
  // False: it had ended by itself, well.
  bool kill() {
    if (!running()) {
      EXPECT_EQ(status_, 0) << "the child failed";
      return false;
    }
    end(SIGKILL);
    return true;
  }

 private:
  void end(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    ::waitpid(pid_, &status_, 0);
    pid_ = 0;
  }
  pid_t pid_ = 0;
  int status_ = 0;
};

class Crash : public PublishFixture {
 protected:
  void SetUp() override {
    PublishFixture::SetUp();
    limits_.pack_target = 1 << 20;
  }
  void fill(const std::string& directory, std::uint64_t seed) {
    for (std::uint64_t i = 0; i < 120; ++i) {
      const std::size_t size = i % 10 == 0 ? 1'500'000 : 1'000 + random_() % 60'000;
      write_file(tree_ / directory / std::to_string(i), noise(size, seed * 1'000 + i));
    }
  }
  std::size_t packs() const {
    std::size_t count = 0;
    std::error_code none;
    for (fs::recursive_directory_iterator at(volume_ / "packs", none), end; at != end;
         at.increment(none)) {
      count += at->is_regular_file(none) ? 1 : 0;
    }
    return count;
  }
  // Lets a child store some packs more, and kills it.
  bool kill_amid(std::size_t more) {
    const std::size_t before = packs();
    Child child(tree_, volume_, options_.state_dir);
    while (child.running() && packs() < before + more) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % 30'000));
    return child.kill();
  }
  std::mt19937_64 random_{std::random_device{}()};
};

TEST_F(Crash, TheFirstPublishIsTakenUp) {
  fill("a", 1);
  ASSERT_TRUE(kill_amid(8)) << "it has some twenty packs to write";
  EXPECT_FALSE(fs::exists(volume_ / "lazyvol-head"));
  const std::size_t left = packs();
  EXPECT_GE(left, 8U);
  reopen_store();
  const PublishReport report = publish_and_check();
  EXPECT_EQ(report.sequence, 1U);
  EXPECT_GT(report.bytes_known, 6'000'000U) << "what was stored is used";
  EXPECT_LT(report.data_bytes, report.bytes - 6'000'000);
  expect_sound_packs(*store_);
  for (const auto& one : fs::directory_iterator(volume_ / ".lazyvol")) {
    EXPECT_EQ(one.path().filename(), "lock") << "left behind";
  }
}

TEST_F(Crash, AnyMomentOfManyRevisions) {
  fill("first", 1);
  publish_and_check();
  int killed = 0;
  for (std::uint64_t round = 2; round < 9; ++round) {
    fill("round " + std::to_string(round % 3), round);
    if (round % 2 == 0) fs::remove_all(tree_ / ("round " + std::to_string((round + 1) % 3)));
    const std::string head = read_file(volume_ / "lazyvol-head");
    for (int tries = 0; tries < 3; ++tries) {
      // Also before the first pack, and near the end.
      if (!kill_amid(random_() % 26)) break;
      ++killed;
      const auto now = read_head(*store_, "lazyvol-head");
      ASSERT_TRUE(now.ok() && now->has_value()) << "a head is there whatever happens";
      if ((*now)->text != head) break;  // killed behind the switch
    }
    reopen_store();
    publish_and_check();
    if (HasFailure()) FAIL() << "round " << round;
    EXPECT_FALSE(publish_and_check().changed);
  }
  EXPECT_GT(killed, 0) << "how many are in time depends on the machine";
  expect_sound_packs(*store_);
}

// Between the head and the state: what the files were is not written down, and is learned again.
TEST_F(Crash, AStateThatIsBehindTheHeadCatchesUp) {
  fill("a", 1);
  settle();
  publish_and_check();
  fs::copy(options_.state_dir, temp_.path() / "old state", fs::copy_options::recursive);
  fill("b", 2);
  write_file(tree_ / "a/3", "other bytes");
  settle();
  publish_and_check();
  const auto entries = entries_of(*store_);
  options_.state_dir = temp_.path() / "old state";
  const PublishReport report = publish_and_check();
  EXPECT_FALSE(report.changed);
  EXPECT_EQ(report.files_read, 121U) << "those that the state did not know";
  EXPECT_EQ(report.data_bytes, 0U);
  EXPECT_EQ(entries_of(*store_), entries);
}

}  // namespace
}  // namespace lazyvol::publish
