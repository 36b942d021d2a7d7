#include "git/process.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>

#include "support/temp_dir.h"

namespace lazyvol::git {
namespace {

using std::chrono::milliseconds;
constexpr std::size_t kMost = 64 << 20;

TEST(Process, GivesOutputErrorsAndStatus) {
  const auto done = run({{"sh", "-c", "echo out; echo err >&2; exit 3"}}, "", {}, kMost);
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->output, "out\n");
  EXPECT_EQ(done->errors, "err\n");
  EXPECT_EQ(done->status, 3);
}

TEST(Process, TakesMoreInputThanAPipeHoldsWhileItGivesOutput) {
  const std::string input(8 << 20, 'x');
  const auto done = run({{"cat"}}, input, {}, kMost);
  ASSERT_TRUE(done.ok());
  EXPECT_TRUE(done->output == input);
}

TEST(Process, ThatDoesNotListenIsNoHarm) {
  const auto done = run({{"true"}}, std::string(1 << 20, 'x'), {}, kMost);
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->status, 0);
}

TEST(Process, WithoutProgressIsGivenUpWithAllThatItStarted) {
  Patience patience;
  patience.no_progress = milliseconds(200);
  const auto begun = std::chrono::steady_clock::now();
  const auto done = run({{"sh", "-c", "sleep 60 & sleep 60"}}, "", patience, kMost);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::timed_out);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
}

TEST(Process, ThatMakesProgressIsWaitedFor) {
  Patience patience;
  patience.no_progress = milliseconds(1000);
  const auto done = run({{"sh", "-c", "for i in 1 2 3 4 5 6; do sleep 0.3; echo . >&2; done"}}, "",
                        patience, kMost);
  EXPECT_TRUE(done.ok());
}

TEST(Process, ThatWorksWithoutAWordIsWaitedForToo) {
  const testing::TempDir temp;
  const auto file = temp.path() / "written";
  Patience patience;
  patience.no_progress = milliseconds(1000);
  patience.silent_work = [&] {
    std::error_code none;
    const auto size = std::filesystem::file_size(file, none);
    return none ? 0 : size;
  };
  const std::string script =
      "for i in 1 2 3 4 5 6; do sleep 0.3; echo . >>'" + file.string() + "'; done";
  EXPECT_TRUE(run({{"sh", "-c", script}}, "", patience, kMost).ok());
  const auto idle = run({{"sleep", "60"}}, "", patience, kMost);
  ASSERT_FALSE(idle.ok());
  EXPECT_EQ(idle.error().code, Code::timed_out);
}

TEST(Process, IsCancelled) {
  std::stop_source stop;
  Patience patience;
  patience.stop = stop.get_token();
  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(100));
    stop.request_stop();
  });
  const auto done = run({{"sleep", "60"}}, "", patience, kMost);
  later.join();
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::cancelled);
}

TEST(Process, ThatCannotBeRunProvesNothing) {
  const auto done = run({{"no-such-program-at-all"}}, "", {}, kMost);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::io_error);
}

TEST(Process, OutputIsBounded) {
  const auto done = run({{"head", "-c", "100000", "/dev/zero"}}, "", {}, 1000);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::too_large);
}

TEST(Process, IsNotLedElsewhereByTheEnvironment) {
  ::setenv("GIT_DIR", "/elsewhere", 1);
  ::setenv("GIT_TRACE", "/tmp/trace", 1);
  const auto done =
      run({{"sh", "-c", "echo \"$GIT_DIR|$GIT_TRACE|$GIT_SSL_NO_VERIFY|$OURS\""}, {{"OURS", "1"}}},
          "", {}, kMost);
  ::unsetenv("GIT_DIR");
  ::unsetenv("GIT_TRACE");
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->output, "|||1\n");
}

}  // namespace
}  // namespace lazyvol::git
