#include "e2e/world.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>
#include <thread>

#include "daemon/cli.h"
#include "fuse/kernel_mount.h"
#include "fuse/mount_info.h"

namespace lazyvol::e2e {
namespace fs = std::filesystem;
namespace {

Ran run(int (*main)(const std::vector<std::string>&, daemon::Console),
        const std::vector<std::string>& words) {
  std::ostringstream out, err;
  Ran ran;
  ran.status = main(words, daemon::Console{out, err, false});
  ran.out = out.str();
  ran.err = err.str();
  return ran;
}

fs::path made(fs::path dir) {
  fs::create_directories(dir);
  return fs::canonical(dir);
}

}  // namespace

Ran lazyvol(const std::vector<std::string>& words) {
  return run(daemon::lazyvol_main, words);
}

Ran mount_lazyvol(const std::vector<std::string>& words) {
  return run(daemon::mount_lazyvol_main, words);
}

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

World::World()
    : origin(made(temp_.path() / "origin")),
      cache(temp_.path() / "cache"),
      mountpoint(made(temp_.path() / "mnt")),
      runtime_(temp_.path() / "run") {
  setenv("LAZYVOL_RUNTIME_DIR", runtime_.c_str(), 1);
  setenv("PATH", (std::string(LAZYVOL_TOOLS_DIR ":") + getenv("PATH")).c_str(), 1);
  umask(022);
}

World::~World() {
  end_daemon(SIGTERM);
  if (mounted()) {
    const Status status = fuse::unmount_path(mountpoint, true);
    EXPECT_TRUE(status.ok()) << status.error().message;
  }
  if (!::testing::Test::HasFailure() || !fs::exists(runtime_)) return;
  for (const auto& entry : fs::directory_iterator(runtime_)) {
    if (entry.path().extension() != ".log") continue;
    std::cerr << "--- " << entry.path() << "\n" << testing::read_file(entry.path()) << "---\n";
  }
}

Ran World::mount(const std::string& source, const std::string& options) {
  return lazyvol({"mount", source, mountpoint.string(), "-o",
                  "cache-dir=" + cache.string() + (options.empty() ? "" : "," + options)});
}

void World::must_mount(const std::string& source, const std::string& options) {
  const Ran ran = mount(source, options);
  ASSERT_EQ(ran.status, 0) << ran.err;
  ASSERT_EQ(ran.err, "");
  ASSERT_TRUE(mounted());
}

Ran World::umount() {
  return lazyvol({"umount", mountpoint.string()});
}

daemon::ControlJson World::status() const {
  const Ran ran = lazyvol({"status", "--json"});
  return daemon::ControlJson::parse(ran.out, nullptr, false);
}

pid_t World::daemon_pid() const {
  return static_cast<pid_t>(daemon::json_number(status(), "/worker/pid"));
}

void World::end_daemon(int signal) {
  const pid_t pid = daemon_pid();
  if (pid <= 0) return;
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  ASSERT_GE(fd, 0);
  kill(pid, signal);
  pollfd gone{fd, POLLIN, 0};
  EXPECT_EQ(poll(&gone, 1, 120'000), 1) << "lazyvold does not end";
  close(fd);
}

void World::restart() {
  end_daemon(SIGTERM);
  EXPECT_FALSE(mounted());
}

bool World::mounted() const {
  const auto mounts = fuse::read_mount_info();
  const auto* there = mounts.ok() ? fuse::mount_at(*mounts, mountpoint.string()) : nullptr;
  return there != nullptr && there->lazyvol();
}

std::vector<std::string> tree_of(const fs::path& root) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    std::string name = entry.path().lexically_relative(root).string();
    if (entry.is_directory()) name += '/';
    names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

void expect_same_tree(const fs::path& one, const fs::path& other) {
  const auto names = tree_of(one);
  ASSERT_EQ(names, tree_of(other));
  for (const auto& name : names) {
    if (name.ends_with('/')) continue;
    ASSERT_EQ(fs::file_size(one / name), fs::file_size(other / name)) << name;
    ASSERT_TRUE(testing::read_file(one / name) == testing::read_file(other / name)) << name;
  }
}

int read_errno(const fs::path& file) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  std::vector<char> buffer(1 << 20);
  ssize_t n = 0;
  while ((n = read(fd, buffer.data(), buffer.size())) > 0) {
  }
  const int error = n < 0 ? errno : 0;
  close(fd);
  return error;
}

std::uint64_t disk_bytes(const fs::path& dir) {
  std::uint64_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator it(dir, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    struct stat info {};
    if (lstat(it->path().c_str(), &info) == 0 && S_ISREG(info.st_mode)) {
      bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
    }
  }
  return bytes;
}

std::vector<testing::AccessLine> content_requests(const testing::Nginx& server) {
  std::vector<testing::AccessLine> found;
  for (auto& line : server.access_log()) {
    if (line.method != "GET" || line.uri.ends_with('/')) continue;
    if (line.uri.ends_with("/lazyvol-head")) continue;  // asked for once at mount
    found.push_back(std::move(line));
  }
  return found;
}

void expect_one_line(const std::string& text) {
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  EXPECT_TRUE(text.ends_with("\n")) << text;
}

}  // namespace lazyvol::e2e
