#include "daemon/paths.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace lazyvol::daemon {
namespace fs = std::filesystem;

UserContext UserContext::current() {
  return {geteuid(), [](const char* name) -> std::optional<std::string> {
            const char* value = std::getenv(name);
            if (value == nullptr || *value == '\0') return std::nullopt;
            return value;
          }};
}

Result<fs::path> default_cache_dir(const UserContext& user) {
  if (user.uid == 0) return fs::path("/var/cache/lazyvol");
  if (auto xdg = user.env("XDG_CACHE_HOME")) return fs::path(*xdg) / "lazyvol";
  if (auto home = user.env("HOME")) return fs::path(*home) / ".cache" / "lazyvol";
  return Error{Code::invalid_argument,
               "no cache directory: set HOME, XDG_CACHE_HOME or the option cache-dir"};
}

Result<fs::path> default_state_dir(const UserContext& user, const fs::path& destination) {
  const std::string text = destination.string();
  const std::string name = fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
  if (user.uid == 0) return fs::path("/var/lib/lazyvol/publish") / name;
  if (auto xdg = user.env("XDG_STATE_HOME")) return fs::path(*xdg) / "lazyvol/publish" / name;
  if (auto home = user.env("HOME")) {
    return fs::path(*home) / ".local/state/lazyvol/publish" / name;
  }
  return Error{Code::invalid_argument,
               "no state directory: set HOME, XDG_STATE_HOME or --state-dir"};
}

Result<fs::path> canonical_directory(const fs::path& dir) {
  if (dir.empty()) return Error{Code::invalid_argument, "a directory without a name"};
  std::error_code error;
  fs::path absolute = fs::absolute(dir, error);
  if (!error) absolute = fs::weakly_canonical(absolute, error);
  if (error) return errno_error(error.value(), dir.string());
  absolute = absolute.lexically_normal();
  if (!absolute.has_filename() && absolute.has_parent_path()) absolute = absolute.parent_path();
  return absolute;
}

fs::path runtime_dir(const UserContext& user) {
  if (auto given = user.env("LAZYVOL_RUNTIME_DIR")) return fs::path(*given);
  if (user.uid == 0) return "/run/lazyvol";
  if (auto xdg = user.env("XDG_RUNTIME_DIR")) return fs::path(*xdg) / "lazyvol";
  return fs::path(fmt::format("/tmp/lazyvol-{}", user.uid));
}

Status prepare_runtime_dir(const fs::path& dir, const UserContext& user) {
  const std::string name = "runtime directory " + dir.string();
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) return errno_error(errno, name);
  struct stat info {};
  if (lstat(dir.c_str(), &info) != 0) return errno_error(errno, name);
  if (!S_ISDIR(info.st_mode)) {
    return Error{Code::access_denied, name + ": is not a directory (a symlink will not do)"};
  }
  if (info.st_uid != user.uid) {
    return Error{Code::access_denied,
                 fmt::format("{}: belongs to uid {}, not to uid {}", name, info.st_uid, user.uid)};
  }
  if ((info.st_mode & 077) != 0) {
    return Error{Code::access_denied, fmt::format("{}: mode {:04o} lets others in; chmod 0700 {}",
                                                  name, info.st_mode & 07777, dir.string())};
  }
  return {};
}

Result<fs::path> control_socket_path(const fs::path& runtime, const fs::path& canonical_cache) {
  const std::string& text = canonical_cache.native();
  fs::path socket = runtime / fmt::format("{:016x}.sock", XXH3_64bits(text.data(), text.size()));
  constexpr std::size_t kLimit = sizeof(sockaddr_un::sun_path) - 1;
  if (socket.native().size() > kLimit) {
    return Error{Code::name_too_long,
                 fmt::format("control socket path {} has {} bytes and unix sockets allow {}: set "
                             "LAZYVOL_RUNTIME_DIR to a shorter directory",
                             socket.string(), socket.native().size(), kLimit)};
  }
  return socket;
}

std::vector<fs::path> list_control_sockets(const fs::path& runtime) {
  std::vector<fs::path> sockets;
  std::error_code error;
  fs::directory_iterator it(runtime, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    if (it->path().extension() == ".sock") sockets.push_back(it->path());
  }
  std::sort(sockets.begin(), sockets.end());
  return sockets;
}

}  // namespace lazyvol::daemon
