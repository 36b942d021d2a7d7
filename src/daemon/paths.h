// Where a user's cache, runtime directory and control socket lie.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lazyvol/error.h"

namespace lazyvol::daemon {

/// What the paths depend on; a plain value, so that tests can play any user.
struct UserContext {
  uid_t uid = 0;
  /// Looks up an environment variable; nullopt when unset or empty.
  std::function<std::optional<std::string>(const char*)> env;

  /// The process's effective user and environment.
  static UserContext current();
};

/// Root: /var/cache/lazyvol. Others: $XDG_CACHE_HOME/lazyvol, else ~/.cache/lazyvol.
/// Errors: invalid_argument when neither XDG_CACHE_HOME nor HOME is set.
Result<std::filesystem::path> default_cache_dir(const UserContext& user);

/// Where a publisher remembers what it did for the volume in `destination` (canonical):
/// PUBLISH/NAME with the first 16 hex digits of the XXH3-64 of the destination as NAME. PUBLISH,
/// for root: /var/lib/lazyvol/publish; others: $XDG_STATE_HOME/lazyvol/publish, else
/// ~/.local/state/lazyvol/publish. Errors: invalid_argument when neither XDG_STATE_HOME nor HOME is
/// set.
Result<std::filesystem::path> default_state_dir(const UserContext& user,
                                                const std::filesystem::path& destination);

/// `dir` made absolute and free of symlinks, as far as it exists: the same text before and after
/// the directory is made. Errors: invalid_argument when it is empty; those of realpath(3).
Result<std::filesystem::path> canonical_directory(const std::filesystem::path& dir);

/// $LAZYVOL_RUNTIME_DIR; else /run/lazyvol (root), $XDG_RUNTIME_DIR/lazyvol, or /tmp/lazyvol-UID.
/// Only says where: makes nothing.
std::filesystem::path runtime_dir(const UserContext& user);

/// Makes `dir` with mode 0700 when it is missing. Errors: access_denied when it belongs to somebody
/// else, is a symlink or is open to group or others; the errors of mkdir(2).
Status prepare_runtime_dir(const std::filesystem::path& dir, const UserContext& user);

/// The control socket of the daemon that owns `canonical_cache`: the first 16 hex digits of the
/// XXH3-64 of its path. Errors: name_too_long (a unix socket path holds 107 bytes).
Result<std::filesystem::path> control_socket_path(const std::filesystem::path& runtime,
                                                  const std::filesystem::path& canonical_cache);

/// All control sockets in `runtime`, sorted; empty when there is no such directory. Some may be
/// left over from a daemon that died.
std::vector<std::filesystem::path> list_control_sockets(const std::filesystem::path& runtime);

}  // namespace lazyvol::daemon
