// The daemon as an object: one cache directory, its mounts, its control socket.
#pragma once

#include <filesystem>
#include <memory>

#include "base/log.h"
#include "daemon/control_api.h"
#include "daemon/control_server.h"
#include "daemon/mount_table.h"
#include "daemon/runtime.h"
#include "lazyvol/error.h"

namespace lazyvol::daemon {

struct DaemonOptions {
  RuntimeOptions runtime;
  std::filesystem::path runtime_dir;
  std::filesystem::path log_file;  ///< empty: stderr
  base::LogLevel log_level = base::LogLevel::info;
  bool foreground = false;
};

/// Serves while it lives. Thread-safe after start().
class Daemon {
 public:
  /// Prepares the runtime directory, opens the cache, listens. Errors: those of
  /// prepare_runtime_dir, control_socket_path, Runtime::open and ControlServer::start.
  static Result<std::unique_ptr<Daemon>> start(const DaemonOptions& options);
  /// As stop().
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  MountTable& mounts() { return mounts_; }
  const std::filesystem::path& socket() const { return socket_; }

  /// Starts a refresh of every mount; returns at once.
  void refresh_all();
  /// Unmounts all (lazily what is busy), ends the control socket, commits the cache. Idempotent.
  void stop();

 private:
  Daemon(std::unique_ptr<Runtime> runtime, std::filesystem::path socket);

  const std::filesystem::path socket_;
  const std::unique_ptr<Runtime> runtime_;
  MountTable mounts_;
  ControlApi api_;
  std::unique_ptr<ControlServer> server_;  // last: handlers use everything above
};

/// Blocks SIGTERM, SIGINT and SIGHUP in this thread and those it starts later, and ignores SIGPIPE:
/// call it before any thread exists.
void block_daemon_signals();

/// Serves until SIGTERM or SIGINT (SIGHUP refreshes), or, with `until_unmounted`, until no mount is
/// left. Then stops `daemon`.
void serve_until_signal(Daemon& daemon, bool until_unmounted);

/// Process-wide settings of a daemon: no core dumps (they would hold secrets), as many open files
/// as allowed, one malloc arena (many arenas multiply the memory of short-lived blocks), files
/// private.
void apply_process_settings();

}  // namespace lazyvol::daemon
