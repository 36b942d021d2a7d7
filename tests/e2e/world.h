// One end-to-end world: an origin, a cache, a mountpoint, and the real lazyvold between them.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "daemon/control_client.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::e2e {

struct Ran {
  int status = 0;
  std::string out, err;
};

/// Runs a lazyvol command line in-process (the daemon that it starts is a real one).
Ran lazyvol(const std::vector<std::string>& words);
Ran mount_lazyvol(const std::vector<std::string>& words);

/// Waits until `condition` holds, for a minute at most; false when it never did.
bool eventually(const std::function<bool()>& condition);

/// A user's view of lazyvol with directories of its own. Everything that it mounted and started is
/// gone at destruction. One at a time: it sets $LAZYVOL_RUNTIME_DIR.
class World {
  testing::TempDir temp_;  // first: the paths lie in it

 public:
  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  const std::filesystem::path origin, cache, mountpoint;

  /// `lazyvol mount SOURCE MOUNTPOINT -o cache-dir=…,OPTIONS`.
  Ran mount(const std::string& source, const std::string& options = {});
  /// As mount(), which must succeed.
  void must_mount(const std::string& source, const std::string& options = {});
  Ran umount();

  /// The status document of the one daemon that runs; null when none does.
  daemon::ControlJson status() const;
  pid_t daemon_pid() const;
  /// Sends the signal to the daemon and waits until the process is gone.
  void end_daemon(int signal);
  /// Commits and ends the daemon, so that the next mount starts a new one.
  void restart();

  bool mounted() const;

 private:
  const std::filesystem::path runtime_;
};

/// Relative paths of everything below `root`, sorted; directories end with '/'.
std::vector<std::string> tree_of(const std::filesystem::path& root);
/// Expects that both trees have the same names, sizes and bytes.
void expect_same_tree(const std::filesystem::path& one, const std::filesystem::path& other);
/// The errno of reading the file whole; 0 when that works.
int read_errno(const std::filesystem::path& file);
/// Bytes that `dir` occupies on disk.
std::uint64_t disk_bytes(const std::filesystem::path& dir);
/// How many requests for bytes of files a log holds: GETs that are not for a directory's
/// index or a volume's head.
std::vector<testing::AccessLine> content_requests(const testing::Nginx& server);
/// That `text` is one line.
void expect_one_line(const std::string& text);

}  // namespace lazyvol::e2e
