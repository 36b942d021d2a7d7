// cache status, check, trim; limit: commands about one cache directory and its daemon.
#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <utility>

#include "base/units.h"
#include "daemon/cli_commands.h"
#include "daemon/paths.h"
#include "model/options.h"

namespace lazyvol::daemon {
namespace {

namespace fs = std::filesystem;

/// The daemon that owns `cache_dir` (empty: the default). Errors: not_found when none runs.
Result<LiveDaemon> find_daemon_of_cache(const std::string& cache_dir) {
  const UserContext user = UserContext::current();
  fs::path dir = cache_dir;
  if (dir.empty()) {
    LAZYVOL_TRY_ASSIGN(dir, default_cache_dir(user));
  }
  LAZYVOL_TRY_ASSIGN(dir, canonical_directory(dir));
  LAZYVOL_TRY_ASSIGN(auto socket, control_socket_path(runtime_dir(user), dir));
  ControlClient client(std::move(socket));
  auto status = client.status();
  if (status.ok()) return LiveDaemon{std::move(client), std::move(*status)};
  if (status.error().code != Code::unreachable) return std::move(status).error();
  return Error{Code::not_found, "no lazyvold runs for cache " + dir.string() +
                                    "; `lazyvol mount` or `lazyvold --cache-dir` starts one"};
}

}  // namespace

int run_cache_status(const std::string& cache_dir, Console console) {
  const auto daemon = find_daemon_of_cache(cache_dir);
  if (!daemon.ok()) return complain(console, daemon.error().message, kExitFailed);
  const ControlJson& status = daemon->status;
  const auto line = [&](const char* name, const std::string& value) {
    console.out << fmt::format("{:<18}{}\n", name, value);
  };
  const auto number = [&](const char* name, const char* pointer) {
    line(name, std::to_string(json_number(status, pointer)));
  };
  const auto size = [&](const char* name, const char* pointer) {
    line(name, base::format_size(json_number(status, pointer)));
  };
  line("directory", json_text(status, "/cache/dir"));
  size("stored", "/cache/bytes");
  size("limit", "/cache/limit_bytes");
  number("hits", "/cache/hits");
  number("misses", "/cache/misses");
  number("blocks stored", "/cache/stored_blocks");
  size("evicted", "/cache/evicted_bytes");
  number("corrupt blocks", "/cache/corrupt_blocks");
  number("bypassed blocks", "/cache/bypassed_blocks");
  number("objects", "/cache/objects");
  number("slabs", "/cache/slabs");
  const bool writable = json_flag(status, "/cache/writable");
  line("writable", writable ? "yes" : "no: " + json_text(status, "/cache/writable_reason"));
  console.out.flush();
  return kExitOk;
}

int run_cache_check(const std::string& cache_dir, Console console) {
  const auto daemon = find_daemon_of_cache(cache_dir);
  if (!daemon.ok()) return complain(console, daemon.error().message, kExitFailed);
  const auto report =
      daemon->client.post_lines("/v1/cache/check", ControlJson::object(), [&](const auto& line) {
        if (!console.terminal) return;
        console.out << "\r\x1b[K" << base::format_size(json_number(line, "/bytes_checked"))
                    << " checked" << std::flush;
      });
  if (console.terminal) console.out << "\r\x1b[K" << std::flush;
  if (!report.ok()) return complain(console, report.error().message, kExitFailed);
  const auto corrupt = json_number(*report, "/corrupt_blocks");
  console.out << fmt::format("{} blocks, {} checked, {} damaged and dropped",
                             json_number(*report, "/blocks_checked"),
                             base::format_size(json_number(*report, "/bytes_checked")), corrupt)
              << std::endl;
  return corrupt == 0 ? kExitOk : kExitFailed;
}

int run_cache_trim(const std::string& cache_dir, const std::string& size, Console console) {
  std::uint64_t target = 0;
  if (!size.empty()) {
    const auto parsed = base::parse_size(size);
    if (!parsed.ok()) return complain(console, "--to: " + parsed.error().message, kExitUsage);
    target = *parsed;
  }
  const auto daemon = find_daemon_of_cache(cache_dir);
  if (!daemon.ok()) return complain(console, daemon.error().message, kExitFailed);
  const auto answer =
      daemon->client.post("/v1/cache/trim", {{"bytes", target}}, std::chrono::minutes(60));
  if (!answer.ok()) return complain(console, answer.error().message, kExitFailed);
  console.out << base::format_size(json_number(*answer, "/bytes_freed")) << " freed" << std::endl;
  return kExitOk;
}

int run_limit(const std::string& cache_dir, const std::vector<std::string>& options,
              Console console) {
  std::string text;
  model::MountOptions parsed;
  for (const auto& one : options) {
    auto more = model::parse_mount_options(one, std::move(parsed));
    if (!more.ok()) return complain(console, more.error().message, kExitUsage);
    parsed = *std::move(more);
    text += (text.empty() ? "" : ",") + one;
  }
  if (auto status = model::check_run_time_limits(parsed); !status.ok()) {
    return complain(console, status.error().message, kExitUsage);
  }
  const auto daemon = find_daemon_of_cache(cache_dir);
  if (!daemon.ok()) return complain(console, daemon.error().message, kExitFailed);
  const auto answer =
      daemon->client.post("/v1/limits", {{"options", text}}, std::chrono::seconds(10));
  return answer.ok() ? kExitOk : complain(console, answer.error().message, kExitFailed);
}

}  // namespace lazyvol::daemon
