// A process that is killed at any moment leaves a cache that serves right bytes or none.
#include <fcntl.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <random>
#include <thread>

#include "block_support.h"
#include "crash_support.h"
#include "support/servers.h"

extern char** environ;

namespace lazyvol::cache::testing {
namespace {

// crash_child.cc in a process of its own.
class Child {
 public:
  Child(const std::filesystem::path& dir, std::uint64_t seed, const char* mode) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string program = LAZYVOL_CRASH_CHILD, where = dir.string(), with = std::to_string(seed),
                as = mode;
    const std::array<char*, 5> argv = {program.data(), where.data(), with.data(), as.data(),
                                       nullptr};
    EXPECT_EQ(::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    progress_ = ends[0];
  }
  ~Child() {
    kill();
    ::close(progress_);
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    // 3 and 4: its disk failed, which is what a power loss looks like before the dark.
    const int exit = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    EXPECT_TRUE(exit == 0 || exit == 3 || exit == 4) << exit;
  }
  // The last number that was committed, after at least `reports` more of them; 0 = it ended before.
  std::uint64_t wait_for(int reports) {
    std::uint64_t number = 0;
    while (reports-- > 0 && ::read(progress_, &number, sizeof number) == sizeof number) {
      last_ = number;
    }
    return last_;
  }
  // The last number in the pipe, when the child is dead.
  std::uint64_t drain() { return wait_for(1 << 20); }

 private:
  pid_t pid_ = 0;
  int progress_ = -1;
  std::uint64_t last_ = 0;
};

class Crash : public ::testing::Test {
 protected:
  static void everything_is_right(const std::filesystem::path& dir, bool steady,
                                  std::uint64_t whole_up_to) {
    auto cache = BlockCache::open(crash_options(dir, steady));
    ASSERT_TRUE(cache.ok()) << cache.error().message;
    for (std::uint64_t number = 0; number < kCrashContents; ++number) {
      const auto content = (*cache)->content(key_of(number), crash_size(number));
      const std::uint64_t hits = hits_of(*content, number);
      if (steady && number > 0 && number <= whole_up_to) {
        ASSERT_EQ(hits, content->layout().count()) << "committed content " << number;
      }
    }
    EXPECT_EQ((*cache)->stats().corrupt_blocks, 0U) << "the index named bytes that were not there";
    const auto report = (*cache)->check(nullptr);
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->corrupt_blocks, 0U);
  }
  lazyvol::testing::TempDir temp_;
  std::mt19937_64 rng_{std::random_device{}()};
};

TEST_F(Crash, KilledWhileStoring) {
  std::uint64_t committed = 0;
  for (int round = 0; round < 4; ++round) {
    Child child(temp_.path() / "cache", committed + 1, "steady");
    child.wait_for(1 + static_cast<int>(rng_() % 6));
    child.kill();
    committed = std::max(committed, child.drain());
    ASSERT_GT(committed, 0U);
    everything_is_right(temp_.path() / "cache", true, committed);
  }
}

TEST_F(Crash, KilledWhileEvicting) {
  for (int round = 0; round < 5; ++round) {
    Child child(temp_.path() / "cache", rng_(), "random");
    // Any moment will do, also before it began.
    std::this_thread::sleep_for(std::chrono::milliseconds(100 + rng_() % 900));
    child.kill();
    everything_is_right(temp_.path() / "cache", false, 0);
  }
}

// An ext4 of its own, shut down without its log: what a power loss leaves.
class PowerLoss : public Crash {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(disk_);
    {
      const int fd = ::open(image_.c_str(), O_CREAT | O_RDWR, 0600);
      ASSERT_EQ(::ftruncate(fd, 1LL << 30), 0);
      ::close(fd);
    }
    if (lazyvol::testing::run({"mkfs.ext4", "-q", "-F", image_.string()}).status != 0 || !mount()) {
      GTEST_SKIP() << "needs mkfs.ext4 and the right to mount";
    }
  }
  void TearDown() override { unmount(); }
  bool mount() {
    return lazyvol::testing::run({"mount", "-o", "loop", image_.string(), disk_.string()}).status ==
           0;
  }
  void unmount() { lazyvol::testing::run({"umount", disk_.string()}); }
  void lose_power() {
    constexpr unsigned long kShutdown = _IOR('X', 125, std::uint32_t);  // EXT4_IOC_SHUTDOWN
    std::uint32_t without_log = 2;                                      // NOLOGFLUSH
    const int fd = ::open(disk_.c_str(), O_RDONLY | O_DIRECTORY);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(::ioctl(fd, kShutdown, &without_log), 0);
    ::close(fd);
  }
  const std::filesystem::path disk_ = temp_.path() / "disk";
  const std::filesystem::path image_ = temp_.path() / "image";
};

TEST_F(PowerLoss, CommittedBytesAreThereAndNothingElseIsNamed) {
  std::uint64_t committed = 0;
  for (int round = 0; round < 3; ++round) {
    {
      Child child(disk_ / "cache", committed + 1, "steady");
      child.wait_for(1 + static_cast<int>(rng_() % 6));
      lose_power();
      child.drain();  // it stops at its first failed write
      committed = std::max(committed, child.wait_for(0));
    }
    ASSERT_GT(committed, 0U);
    unmount();
    ASSERT_TRUE(mount());
    everything_is_right(disk_ / "cache", true, committed);
  }
}

TEST_F(PowerLoss, WhileEvicting) {
  for (int round = 0; round < 3; ++round) {
    {
      Child child(disk_ / "cache", rng_(), "random");
      std::this_thread::sleep_for(std::chrono::milliseconds(300 + rng_() % 900));
      lose_power();
    }
    unmount();
    ASSERT_TRUE(mount());
    everything_is_right(disk_ / "cache", false, 0);
  }
}

}  // namespace
}  // namespace lazyvol::cache::testing
