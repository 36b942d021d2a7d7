#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <thread>
#include <utility>

#include "base/log.h"
#include "daemon/cli_commands.h"
#include "daemon/cli_parse.h"
#include "daemon/daemon.h"
#include "daemon/launcher.h"
#include "daemon/mounted_path.h"
#include "daemon/paths.h"
#include "fuse/kernel_mount.h"
#include "model/options.h"
#include "model/source_url.h"
#include "net/credentials.h"

namespace lazyvol::daemon {
namespace {

namespace fs = std::filesystem;
using Kind = MountFailure::Kind;

/// What remains of the command line once it makes sense.
struct Prepared {
  model::MountOptions options;
  LaunchOptions launch;
  std::string mountpoint;
};

MountFailure usage(const Error& error) {
  return {Kind::usage, error.message};
}
MountFailure failure(const Error& error) {
  return {Kind::mount, error.message};
}

/// A path in an option is relative to where the user stands; the daemon stands elsewhere.
std::string absolute_option(const std::string& path) {
  return path.empty() ? path : fs::absolute(path).lexically_normal().string();
}

/// A directory named as shells do, which no scheme can be mistaken for.
bool is_relative_directory(const std::string& source) {
  struct stat info {};
  return source.find(':') == std::string::npos && !source.starts_with('/') &&
         stat(source.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Result<model::MountOptions> parse_options(const std::vector<std::string>& texts) {
  model::MountOptions options;
  for (const auto& text : texts) {
    LAZYVOL_TRY_ASSIGN(options, model::parse_mount_options(text, std::move(options)));
  }
  options.credentials = absolute_option(options.credentials);
  options.ca_cert = absolute_option(options.ca_cert);
  options.prefetch_profile = absolute_option(options.prefetch_profile);
  if (!options.key.starts_with("ed25519:")) options.key = absolute_option(options.key);
  return options;
}

Result<LaunchOptions> launch_options(const model::MountOptions& options) {
  const UserContext user = UserContext::current();
  LaunchOptions launch;
  fs::path cache = options.cache_dir;
  if (cache.empty()) {
    LAZYVOL_TRY_ASSIGN(cache, default_cache_dir(user));
  }
  LAZYVOL_TRY_ASSIGN(launch.cache_dir, canonical_directory(cache));
  launch.runtime_dir = fs::absolute(runtime_dir(user));
  launch.cache_size = options.cache_size;
  launch.free_space_ratio = options.free_space_ratio;
  launch.memory_target = options.memory_target;
  if (launch.memory_target && *launch.memory_target < kLeastMemoryTarget) {
    return Error{Code::invalid_argument, "option memory-target: must be at least 32M"};
  }
  return launch;
}

/// The mountpoint as the kernel will name it. Removes a dead mount of ours that lies on it.
Result<std::string> check_mountpoint(const std::string& given, Console console) {
  const std::string mountpoint = absolute_path(given);
  LAZYVOL_TRY_ASSIGN(const auto mounts, fuse::read_mount_info());
  const fuse::MountInfo* there = fuse::mount_at(mounts, mountpoint);
  if (there != nullptr && there->lazyvol()) {
    if (!is_dead_mount(mountpoint)) {
      return Error{Code::busy, "mountpoint " + given + ": busy, " + there->source +
                                   " is mounted there already"};
    }
    LAZYVOL_TRY(fuse::unmount_path(mountpoint, true));
    console.err << "lazyvol: " << given << ": removed a mount whose daemon is gone" << std::endl;
  }
  struct stat info {};
  if (stat(mountpoint.c_str(), &info) != 0) return errno_error(errno, "mountpoint " + given);
  if (!S_ISDIR(info.st_mode)) {
    return Error{Code::not_directory, "mountpoint " + given + ": is not a directory"};
  }
  return absolute_path(given);
}

/// One try. `ending`: the daemon that was asked is about to end, and another may be started.
std::optional<MountFailure> ask_daemon(const MountCommand& command, const Prepared& prepared,
                                       bool& ending) {
  const auto daemon = ensure_daemon(prepared.launch);
  if (!daemon.ok()) return MountFailure{Kind::system, daemon.error().message};
  const ControlJson body{{"source", command.source},
                         {"mountpoint", prepared.mountpoint},
                         {"options", model::format_mount_options(prepared.options)}};
  // The daemon keeps the deadline, so there is none here.
  const auto answer = daemon->client.post("/v1/mount", body, std::chrono::milliseconds(0));
  if (!answer.ok()) {
    // It said so; or it has answered ensure_daemon() and was gone before it was asked for more. (An
    // origin that cannot be reached has the same code, from a daemon that is still there.)
    ending = answer.error().code == Code::cancelled ||
             (answer.error().code == Code::unreachable && !daemon->client.status().ok());
    // What was started for nothing goes again, unless somebody else mounted meanwhile.
    if (daemon->started) {
      (void)daemon->client.post("/v1/stop", ControlJson::object(), std::chrono::seconds(5));
    }
    return failure(answer.error());
  }
  return std::nullopt;
}

std::optional<MountFailure> mount_by_daemon(const MountCommand& command, const Prepared& prepared) {
  constexpr std::chrono::milliseconds kPatience{5'000}, kPause{50};
  const auto until = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    bool ending = false;
    auto failed = ask_daemon(command, prepared, ending);
    if (!ending || std::chrono::steady_clock::now() >= until) return failed;
    std::this_thread::sleep_for(kPause);
  }
}

std::optional<MountFailure> mount_in_foreground(const MountCommand& command,
                                                const Prepared& prepared) {
  apply_process_settings();
  block_daemon_signals();
  base::log_to_stderr(base::LogLevel::warn);
  DaemonOptions options;
  options.runtime.cache_dir = prepared.launch.cache_dir;
  options.runtime.cache_size = prepared.launch.cache_size;
  if (auto ratio = prepared.launch.free_space_ratio) options.runtime.free_space_ratio = *ratio;
  if (auto target = prepared.launch.memory_target) options.runtime.memory_target = *target;
  options.runtime_dir = prepared.launch.runtime_dir;
  auto daemon = Daemon::start(options);
  if (!daemon.ok()) return MountFailure{Kind::system, daemon.error().message};
  const Status status =
      (*daemon)->mounts().mount({command.source, prepared.mountpoint, prepared.options});
  if (!status.ok()) return failure(status.error());
  serve_until_signal(**daemon, true);
  return std::nullopt;
}

}  // namespace

std::optional<MountFailure> run_mount(const MountCommand& given, Console console) {
  MountCommand command = given;
  if (is_relative_directory(command.source)) command.source = absolute_option(command.source);
  const auto url = model::parse_source_url(command.source);
  if (!url.ok()) return usage(url.error());
  Prepared prepared;
  auto options = parse_options(command.options);
  if (!options.ok()) return usage(options.error());
  prepared.options = std::move(*options);
  auto launch = launch_options(prepared.options);
  if (!launch.ok()) return usage(launch.error());
  prepared.launch = std::move(*launch);
  auto mountpoint = check_mountpoint(command.mountpoint, console);
  if (!mountpoint.ok()) return failure(mountpoint.error());
  prepared.mountpoint = std::move(*mountpoint);
  if (command.fake) {
    const auto& chosen = prepared.options;
    const auto credentials = net::Credentials::open(chosen.credentials, chosen.ca_cert);
    if (!credentials.ok()) return failure(credentials.error());
    return std::nullopt;
  }
  return command.foreground ? mount_in_foreground(command, prepared)
                            : mount_by_daemon(command, prepared);
}

int run_umount(const std::string& given, bool lazy, Console console) {
  const std::string mountpoint = absolute_path(given);
  auto daemon = find_daemon_of_mount(runtime_dir(UserContext::current()), mountpoint);
  if (daemon.ok()) {
    const auto answer = daemon->client.post(
        "/v1/umount", {{"mountpoint", mountpoint}, {"lazy", lazy}}, std::chrono::minutes(1));
    return answer.ok() ? kExitOk : complain(console, answer.error().message, kExitMountFailure);
  }
  const auto mounts = fuse::read_mount_info();
  if (!mounts.ok()) return complain(console, mounts.error().message, kExitMountFailure);
  const fuse::MountInfo* there = fuse::mount_at(*mounts, mountpoint);
  if (there == nullptr || !there->lazyvol()) {
    return complain(console, given + ": is not a lazyvol mount", kExitMountFailure);
  }
  const Status status = fuse::unmount_path(mountpoint, lazy || is_dead_mount(mountpoint));
  return status.ok() ? kExitOk : complain(console, status.error().message, kExitMountFailure);
}

}  // namespace lazyvol::daemon
