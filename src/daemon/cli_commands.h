// The commands of `lazyvol` behind their command lines. Each prints its own one line of failure and
// answers with the exit status (cli.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/cli.h"
#include "daemon/control_client.h"
#include "lazyvol/error.h"
#include "lazyvol/volume.h"

namespace lazyvol::daemon {

struct MountCommand {
  std::string source, mountpoint;
  std::vector<std::string> options;  ///< each an -o string; later ones win
  bool foreground = false;
  bool fake = false;  ///< check everything, mount nothing
};

/// Why a mount did not come about; the exit status is the caller's (cli.h).
struct MountFailure {
  enum class Kind { usage, permission, system, mount } kind = Kind::mount;
  std::string message;
};

/// Checks source, options and mountpoint in this order, starts the daemon when needed, mounts. A
/// dead lazyvol mount in the way is cleaned up, with a line on console.err.
std::optional<MountFailure> run_mount(const MountCommand& command, Console console);

int run_umount(const std::string& mountpoint, bool lazy, Console console);
/// Without a mountpoint: all daemons of this user.
int run_status(const std::string& mountpoint, bool json, Console console);
int run_prefetch(const std::vector<std::string>& paths, Console console);
int run_evict(const std::vector<std::string>& paths, Console console);
int run_refresh(const std::string& mountpoint, Console console);

/// `cache_dir` empty: the default one.
int run_cache_status(const std::string& cache_dir, Console console);
int run_cache_check(const std::string& cache_dir, Console console);
/// `size` as text ("1G"); empty: 0, everything that is not in use goes.
int run_cache_trim(const std::string& cache_dir, const std::string& size, Console console);

/// Changes limits of the daemon of `cache_dir` (empty: the default one), each an -o string.
int run_limit(const std::string& cache_dir, const std::vector<std::string>& options,
              Console console);

/// Prints "lazyvol: MESSAGE" as one line; answers with `status`.
int complain(Console console, const std::string& message, int status);

/// What a line of a streamed answer says.
PrefetchProgress progress_of(const ControlJson& line);

/// The daemon that serves what `path` lies on, and the path inside that mount.
struct Place {
  LiveDaemon daemon;
  std::string mountpoint, path;
};
/// Errors: invalid_argument (not on a lazyvol mount), not_found (its daemon does not answer).
Result<Place> find_place(const std::string& path);

}  // namespace lazyvol::daemon
