// A second process for tests that need one: this program again, running one disabled test. (A plain
// fork would copy RocksDB without its threads.)
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

extern char** environ;

namespace lazyvol::cache::testing {

/// In the child: what the parent gave it.
inline std::filesystem::path child_argument() {
  const char* argument = std::getenv("LAZYVOL_TEST_ARGUMENT");
  return argument == nullptr ? "" : argument;
}
/// In the child: lets the parent's wait_ready() return. Each call writes one byte.
inline void child_ready() {
  if (::write(STDOUT_FILENO, "+", 1) != 1) std::abort();
}
/// In the child: until the parent kills it.
inline void child_wait() {
  while (true) ::pause();
}

class ChildProcess {
 public:
  ChildProcess(const std::string& test, const std::filesystem::path& argument) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    output_ = ends[0];
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string name = "cache_test", filter = "--gtest_filter=" + test,
                disabled = "--gtest_also_run_disabled_tests", quiet = "--gtest_brief=1";
    std::array<char*, 5> arguments{name.data(), filter.data(), disabled.data(), quiet.data(),
                                   nullptr};
    ::setenv("LAZYVOL_TEST_ARGUMENT", argument.c_str(), 1);
    const int failure =
        ::posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
    ::unsetenv("LAZYVOL_TEST_ARGUMENT");
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    if (failure != 0) std::abort();
  }
  ~ChildProcess() {
    kill();
    ::close(output_);
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }

  /// Waits for one child_ready(). Fails the test when the child ends without it.
  void wait_ready() {
    char byte = 0;
    while (byte != '+') {
      ASSERT_EQ(::read(output_, &byte, 1), 1) << "the child ended early";
    }
  }
  /// kill -9, and waits for the end.
  void kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
  int output_ = -1;
};

}  // namespace lazyvol::cache::testing
