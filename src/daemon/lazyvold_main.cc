#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/units.h"
#include "daemon/cli.h"
#include "daemon/cli_parse.h"
#include "daemon/daemon.h"
#include "daemon/detach.h"
#include "daemon/paths.h"

namespace lazyvol::daemon {
namespace {

namespace fs = std::filesystem;

/// The command line as text, before it is understood.
struct Words {
  std::string cache_dir, runtime_dir, cache_size, free_space_ratio, memory_target, log_file;
  std::string log_level = "info";
  bool foreground = false;
};

void describe(CLI::App& app, Words& words) {
  app.add_option("--cache-dir", words.cache_dir,
                 "directory of the block cache, owned by this daemon")
      ->type_name("DIR");
  app.add_option("--runtime-dir", words.runtime_dir,
                 "directory of the control socket (default: $LAZYVOL_RUNTIME_DIR, /run/lazyvol or "
                 "$XDG_RUNTIME_DIR/lazyvol)")
      ->type_name("DIR");
  app.add_option("--cache-size", words.cache_size, "keep the cache below this size")
      ->type_name("SIZE");
  app.add_option("--free-space-ratio", words.free_space_ratio,
                 "keep this share of the cache's file system free (default 0.1)")
      ->type_name("RATIO");
  app.add_option("--memory-target", words.memory_target,
                 "bound for bytes in flight and caches in memory (default 256M)")
      ->type_name("SIZE");
  app.add_option("--log-file", words.log_file,
                 "append the log to this file (default: beside the control socket; stderr "
                 "with -f)")
      ->type_name("FILE");
  app.add_option("--log-level", words.log_level, "debug, info, warn or error")
      ->type_name("LEVEL")
      ->capture_default_str();
  app.add_flag("-f,--foreground", words.foreground, "stay in the foreground");
}

Result<base::LogLevel> parse_level(const std::string& text) {
  static const std::map<std::string, base::LogLevel> kLevels{{"debug", base::LogLevel::debug},
                                                             {"info", base::LogLevel::info},
                                                             {"warn", base::LogLevel::warn},
                                                             {"error", base::LogLevel::error}};
  auto it = kLevels.find(text);
  if (it != kLevels.end()) return it->second;
  return Error{Code::invalid_argument, "--log-level: debug, info, warn or error, not " + text};
}

Result<DaemonOptions> understand(const Words& words) {
  const UserContext user = UserContext::current();
  DaemonOptions options;
  fs::path cache = words.cache_dir;
  if (cache.empty()) {
    LAZYVOL_TRY_ASSIGN(cache, default_cache_dir(user));
  }
  LAZYVOL_TRY_ASSIGN(options.runtime.cache_dir, canonical_directory(cache));
  options.runtime_dir = words.runtime_dir.empty() ? runtime_dir(user) : fs::path(words.runtime_dir);
  options.runtime_dir = fs::absolute(options.runtime_dir);
  if (!words.cache_size.empty()) {
    auto size = base::parse_size(words.cache_size);
    if (!size.ok()) return size.error().in("--cache-size");
    options.runtime.cache_size = *size;
  }
  if (!words.free_space_ratio.empty()) {
    auto ratio = base::parse_ratio(words.free_space_ratio);
    if (!ratio.ok()) return ratio.error().in("--free-space-ratio");
    options.runtime.free_space_ratio = *ratio;
  }
  if (!words.memory_target.empty()) {
    auto size = base::parse_size(words.memory_target);
    if (!size.ok()) return size.error().in("--memory-target");
    if (*size < kLeastMemoryTarget) {
      return Error{
          Code::invalid_argument,
          "--memory-target: at least " + base::format_size(kLeastMemoryTarget) + " is needed"};
    }
    options.runtime.memory_target = *size;
  }
  LAZYVOL_TRY_ASSIGN(options.log_level, parse_level(words.log_level));
  options.foreground = words.foreground;
  if (!words.log_file.empty()) {
    options.log_file = fs::absolute(words.log_file);
  } else if (!words.foreground) {
    // Not in the cache directory: nothing is written there before it is known to be a cache.
    LAZYVOL_TRY_ASSIGN(options.log_file,
                       control_socket_path(options.runtime_dir, options.runtime.cache_dir));
    options.log_file.replace_extension(".log");
  }
  return options;
}

/// Where libraries and the C library complain just before they abort: into the log, too.
void send_stderr_to(const fs::path& file) {
  const int fd = open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  dup2(fd, STDERR_FILENO);
  close(fd);
}

/// Errors: those of prepare_runtime_dir and of open(2).
Status open_log(const DaemonOptions& options) {
  if (options.log_file.empty()) {
    base::log_to_stderr(options.log_level);
    return {};
  }
  LAZYVOL_TRY(prepare_runtime_dir(options.runtime_dir, UserContext::current()));
  const int fd = open(options.log_file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return errno_error(errno, "log file " + options.log_file.string());
  close(fd);
  base::log_to_file(options.log_file.c_str(), options.log_level);
  return {};
}

int run_foreground(const DaemonOptions& options, Console console) {
  apply_process_settings();
  block_daemon_signals();
  const auto fail = [&](const Error& error) {
    console.err << "lazyvold: " << one_line(error.message) << std::endl;
    return kExitFailed;
  };
  if (auto status = open_log(options); !status.ok()) return fail(status.error());
  auto daemon = Daemon::start(options);
  if (!daemon.ok()) return fail(daemon.error());
  serve_until_signal(**daemon, false);
  return kExitOk;
}

int run_detached(const DaemonOptions& options, Console console) {
  const DetachResult result = detach([&](StartReport& report) {
    apply_process_settings();
    block_daemon_signals();
    const auto fail = [&](const Error& error) {
      base::log_error("{}", error.message);
      report.failed(one_line(error.message), kExitFailed);
      return kExitFailed;
    };
    if (auto status = open_log(options); !status.ok()) return fail(status.error());
    send_stderr_to(options.log_file);
    auto daemon = Daemon::start(options);
    if (!daemon.ok()) return fail(daemon.error());
    report.ready();
    serve_until_signal(**daemon, false);
    return kExitOk;
  });
  if (result.status != 0) console.err << "lazyvold: " << result.message << std::endl;
  return result.status;
}

}  // namespace

int lazyvold_main(const std::vector<std::string>& arguments, Console console) {
  CLI::App app(
      "Serves lazyvol mounts over one cache directory. `lazyvol mount` starts it when it is "
      "needed.",
      "lazyvold");
  app.set_version_flag("--version", "lazyvold " LAZYVOL_VERSION);
  Words words;
  describe(app, words);
  if (auto status = parse_command_line(app, arguments, "lazyvold", console)) return *status;
  auto options = understand(words);
  if (!options.ok()) {
    console.err << "lazyvold: " << one_line(options.error().message) << std::endl;
    return kExitUsage;
  }
  return options->foreground ? run_foreground(*options, console) : run_detached(*options, console);
}

}  // namespace lazyvol::daemon
