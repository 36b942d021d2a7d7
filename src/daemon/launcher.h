// Finds the daemon of a cache directory, or starts it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "daemon/control_client.h"
#include "lazyvol/error.h"

namespace lazyvol::daemon {

/// What a daemon is given when it has to be started. All paths absolute.
struct LaunchOptions {
  std::filesystem::path cache_dir;  ///< canonical
  std::filesystem::path runtime_dir;
  std::optional<std::uint64_t> cache_size;
  std::optional<double> free_space_ratio;
  std::optional<std::uint64_t> memory_target;
};

/// The lazyvold beside the running program, else the one on PATH, else the installed one; as a word
/// for posix_spawnp.
std::filesystem::path find_lazyvold();

struct EnsuredDaemon {
  ControlClient client;
  bool started = false;  ///< by this call
};

/// A client of the daemon that owns options.cache_dir; starts one when none answers and waits until
/// it does. Callers at the same time start one only (a lock file in the runtime directory). Errors:
/// those of prepare_runtime_dir, not_found (no lazyvold to run), and the daemon's own line when it
/// cannot start.
Result<EnsuredDaemon> ensure_daemon(const LaunchOptions& options);

}  // namespace lazyvol::daemon
