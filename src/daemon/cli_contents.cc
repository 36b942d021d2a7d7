// prefetch, evict, refresh: commands about a path on a mount.
#include <fmt/format.h>

#include <iostream>
#include <utility>

#include "base/units.h"
#include "daemon/cli_commands.h"
#include "daemon/cli_parse.h"
#include "daemon/mounted_path.h"
#include "daemon/paths.h"
#include "daemon/progress_bar.h"
#include "model/source_url.h"

namespace lazyvol::daemon {
namespace {

constexpr std::chrono::minutes kPatience{60};

ControlJson target_of(const Place& place) {
  return {{"mountpoint", place.mountpoint}, {"path", model::percent_encode_path(place.path)}};
}

int prefetch_one(const std::string& path, Console console) {
  const auto place = find_place(path);
  if (!place.ok()) return complain(console, place.error().message, kExitFailed);
  ProgressBar bar(console.out, console.terminal);
  const auto done = place->daemon.client.post_lines(
      "/v1/prefetch", target_of(*place), [&](const auto& line) { bar.update(progress_of(line)); });
  if (!done.ok()) {
    bar.clear();
    return complain(console, path + ": " + done.error().message, kExitFailed);
  }
  const PrefetchProgress progress = progress_of(*done);
  bar.finish(path, progress);
  if (progress.failures == 0) return kExitOk;
  return complain(console, fmt::format("{}: {} could not be fetched", path, progress.failures),
                  kExitFailed);
}

int evict_one(const std::string& path, Console console) {
  const auto place = find_place(path);
  if (!place.ok()) return complain(console, place.error().message, kExitFailed);
  const auto answer = place->daemon.client.post("/v1/evict", target_of(*place), kPatience);
  if (!answer.ok()) return complain(console, path + ": " + answer.error().message, kExitFailed);
  console.out << path << ": " << base::format_size(json_number(*answer, "/bytes_freed")) << " freed"
              << std::endl;
  return kExitOk;
}

}  // namespace

int complain(Console console, const std::string& message, int status) {
  console.err << "lazyvol: " << one_line(message) << std::endl;
  return status;
}

PrefetchProgress progress_of(const ControlJson& line) {
  PrefetchProgress progress;
  progress.files_done = json_number(line, "/files_done");
  progress.files_found = json_number(line, "/files_found");
  progress.bytes_done = json_number(line, "/bytes_done");
  progress.bytes_found = json_number(line, "/bytes_found");
  progress.failures = json_number(line, "/failures");
  progress.finished = json_flag(line, "/finished");
  return progress;
}

Result<Place> find_place(const std::string& path) {
  LAZYVOL_TRY_ASSIGN(const auto mounts, fuse::read_mount_info());
  LAZYVOL_TRY_ASSIGN(auto where, find_mounted_path(mounts, absolute_path(path)));
  LAZYVOL_TRY_ASSIGN(auto daemon,
                     find_daemon_of_mount(runtime_dir(UserContext::current()), where.mountpoint));
  return Place{std::move(daemon), std::move(where.mountpoint), std::move(where.path)};
}

int run_prefetch(const std::vector<std::string>& paths, Console console) {
  int worst = kExitOk;
  for (const auto& path : paths) worst = std::max(worst, prefetch_one(path, console));
  return worst;
}

int run_evict(const std::vector<std::string>& paths, Console console) {
  int worst = kExitOk;
  for (const auto& path : paths) worst = std::max(worst, evict_one(path, console));
  return worst;
}

int run_refresh(const std::string& mountpoint, Console console) {
  const auto place = find_place(mountpoint);
  if (!place.ok()) return complain(console, place.error().message, kExitFailed);
  const auto answer =
      place->daemon.client.post("/v1/refresh", {{"mountpoint", place->mountpoint}}, kPatience);
  if (!answer.ok())
    return complain(console, mountpoint + ": " + answer.error().message, kExitFailed);
  const auto failures = json_number(*answer, "/failures");
  console.out << fmt::format("{}: {} directories checked, {} entries changed", mountpoint,
                             json_number(*answer, "/directories_checked"),
                             json_number(*answer, "/entries_changed"))
              << std::endl;
  if (failures == 0) return kExitOk;
  return complain(console,
                  fmt::format("{}: {} directories could not be checked", mountpoint, failures),
                  kExitFailed);
}

}  // namespace lazyvol::daemon
