#include "daemon/launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "daemon/cli_parse.h"
#include "daemon/paths.h"

extern char** environ;

namespace lazyvol::daemon {
namespace fs = std::filesystem;
namespace {

/// Held while a daemon is being started.
class StartLock {
 public:
  static Result<StartLock> take(const fs::path& file) {
    const int fd = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return errno_error(errno, "open " + file.string());
    while (flock(fd, LOCK_EX) != 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      close(fd);
      return errno_error(error, "lock " + file.string());
    }
    return StartLock(fd);
  }
  StartLock(StartLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  StartLock& operator=(StartLock&&) = delete;
  ~StartLock() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  explicit StartLock(int fd) : fd_(fd) {}
  int fd_;
};

std::vector<std::string> command_line(const LaunchOptions& options) {
  std::vector<std::string> words{find_lazyvold().string(), "--cache-dir",
                                 options.cache_dir.string(), "--runtime-dir",
                                 options.runtime_dir.string()};
  const auto add = [&](const char* name, std::string value) {
    words.emplace_back(name);
    words.push_back(std::move(value));
  };
  if (options.cache_size) add("--cache-size", std::to_string(*options.cache_size));
  if (options.free_space_ratio) {
    add("--free-space-ratio", fmt::format("{}", *options.free_space_ratio));
  }
  if (options.memory_target) add("--memory-target", std::to_string(*options.memory_target));
  return words;
}

std::string drain(int fd) {
  std::string text;
  std::array<char, 512> buffer{};
  for (;;) {
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    if (text.size() < 4096) text.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

/// Runs lazyvold until it has gone into the background; its stderr is the reason when it fails.
Status run_lazyvold(const LaunchOptions& options) {
  std::vector<std::string> words = command_line(options);
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error(errno, "pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    return errno_error(error, "cannot run " + words[0]);
  }
  std::string complaint = one_line(drain(ends[0]));
  close(ends[0]);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (complaint.starts_with("lazyvold: ")) complaint.erase(0, 10);
  if (complaint.empty()) complaint = "lazyvold died while starting";
  return Error{Code::io_error, complaint};
}

}  // namespace

fs::path find_lazyvold() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    const fs::path beside = self.parent_path() / "lazyvold";
    if (access(beside.c_str(), X_OK) == 0) return beside;
  }
  const char* path = std::getenv("PATH");
  std::istringstream dirs(path == nullptr ? "" : path);
  for (std::string dir; std::getline(dirs, dir, ':');) {
    if (dir.empty()) continue;
    const fs::path candidate = fs::path(dir) / "lazyvold";
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return fs::path(LAZYVOL_BINDIR) / "lazyvold";
}

Result<EnsuredDaemon> ensure_daemon(const LaunchOptions& options) {
  LAZYVOL_TRY(prepare_runtime_dir(options.runtime_dir, UserContext::current()));
  LAZYVOL_TRY_ASSIGN(auto socket, control_socket_path(options.runtime_dir, options.cache_dir));
  ControlClient client(socket);
  if (client.status().ok()) return EnsuredDaemon{client, false};
  LAZYVOL_TRY_ASSIGN(const auto lock,
                     StartLock::take(fs::path(socket).replace_extension(".start")));
  if (client.status().ok())
    return EnsuredDaemon{client, false};  // somebody else started it meanwhile
  LAZYVOL_TRY(run_lazyvold(options));
  LAZYVOL_TRY_ASSIGN(const auto status, client.status());
  return EnsuredDaemon{client, true};
}

}  // namespace lazyvol::daemon
