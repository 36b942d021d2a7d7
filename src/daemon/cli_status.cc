#include <fmt/format.h>

#include <ctime>
#include <iostream>

#include "base/units.h"
#include "daemon/cli_commands.h"
#include "daemon/mounted_path.h"
#include "daemon/paths.h"

namespace lazyvol::daemon {
namespace {

std::string size_at(const ControlJson& json, const char* pointer) {
  return base::format_size(json_number(json, pointer));
}

/// "97.3 %", or "-" of nothing.
std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string used_of(const ControlJson& limits, const std::string& name) {
  return fmt::format("{} of {}", json_number(limits, ("/" + name + "/used").c_str()),
                     json_number(limits, ("/" + name + "/limit").c_str()));
}

std::string age_of(std::uint64_t unix_seconds) {
  const auto now = static_cast<std::uint64_t>(std::time(nullptr));
  const std::uint64_t age = now > unix_seconds ? now - unix_seconds : 0;
  constexpr std::uint64_t kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;
  if (age >= 2 * kDay) return fmt::format("{} d", age / kDay);
  if (age >= 2 * kHour) return fmt::format("{} h", age / kHour);
  if (age >= 2 * kMinute) return fmt::format("{} min", age / kMinute);
  return fmt::format("{} s", age);
}

/// A list of texts, separated by commas.
std::string words_of(const ControlJson& json, const char* name) {
  std::string all;
  for (const auto& word : json.value(name, ControlJson::array())) {
    if (!word.is_string()) continue;
    all += (all.empty() ? "" : ", ") + word.get<std::string>();
  }
  return all;
}

void print_published(std::ostream& out, const ControlJson& published) {
  const auto signer = json_text(published, "/signer");
  out << fmt::format("  revision  {}, {} old, {}{}\n", json_number(published, "/sequence"),
                     age_of(json_number(published, "/created")),
                     signer.empty() ? "not signed" : "signed by " + signer,
                     json_flag(published, "/offline") ? "; as it was known before" : "");
  out << fmt::format(
      "  refresh   {} times, {} failed, {} switches\n", json_number(published, "/refreshes"),
      json_number(published, "/refresh_failures"), json_number(published, "/switches"));
  if (const auto error = json_text(published, "/refresh_error"); !error.empty()) {
    out << "  refresh   failed: " << error << "\n";
  }
  out << fmt::format(
      "  frames    {} fetched, {} of them pages, {} from disk, {} from memory\n",
      json_number(published, "/frames/frames"), json_number(published, "/frames/pages"),
      json_number(published, "/frames/disk_hits"), json_number(published, "/frames/memory_hits"));
  out << fmt::format(
      "  trouble   {} corrupt, {} packs missing, {} failovers, {} failures\n",
      json_number(published, "/frames/corrupt"), json_number(published, "/frames/missing_packs"),
      json_number(published, "/frames/failovers"), json_number(published, "/frames/failures"));
}

/// How files that are wholly cached are read.
std::string opens_of(const ControlJson& mount) {
  if (!json_flag(mount, "/fuse/passthrough")) {
    return "no passthrough: " + json_text(mount, "/fuse/passthrough_reason");
  }
  return fmt::format("passthrough, {} times, {} files now",
                     json_number(mount, "/fuse/passed_opens"),
                     json_number(mount, "/fuse/passed_files"));
}

void print_mount(std::ostream& out, const ControlJson& mount) {
  const std::uint64_t read = json_number(mount, "/fetch/bytes_read");
  const std::uint64_t fetched = json_number(mount, "/fetch/bytes_fetched");
  out << json_text(mount, "/source") << " on " << json_text(mount, "/mountpoint") << "\n";
  if (const auto options = json_text(mount, "/options"); !options.empty()) {
    out << "  options   " << options << "\n";
  }
  out << "  open      " << opens_of(mount) << "\n";
  // A published volume has what its catalog has, wherever it lies.
  const auto can = words_of(mount, "capabilities");
  if (!can.empty() && !mount.contains("published")) {
    out << fmt::format("  source    {}: {}\n", json_text(mount, "/scheme"), can);
  }
  if (mount.contains("published")) print_published(out, mount["published"]);
  out << fmt::format(
      "  requests  {} from the kernel, {} answered with an error, {} interrupted, {} waiting\n",
      json_number(mount, "/fuse/requests"), json_number(mount, "/fuse/errors"),
      json_number(mount, "/fuse/interrupted"), json_number(mount, "/fuse/waiting"));
  out << fmt::format("  read      {}, {} of it from the cache\n", base::format_size(read),
                     percent(json_number(mount, "/fetch/hit_bytes"), read));
  out << fmt::format("  fetched   {} in {} requests, {} ahead of readers, {} retries\n",
                     base::format_size(fetched), json_number(mount, "/fetch/requests"),
                     size_at(mount, "/fetch/readahead_bytes"),
                     json_number(mount, "/fetch/retries"));
  out << fmt::format(
      "  metadata  {} lists ({} not modified), {} stats, {} stale served\n",
      json_number(mount, "/metadata/lists"), json_number(mount, "/metadata/not_modified"),
      json_number(mount, "/metadata/stats"), json_number(mount, "/metadata/stale_served"));
  out << fmt::format("  failures  {} of content, {} of metadata, {} stale\n",
                     json_number(mount, "/fetch/failures"),
                     json_number(mount, "/metadata/failures"), json_number(mount, "/fetch/stale"));
  if (const auto last = json_text(mount, "/last_error"); !last.empty()) {
    out << "  last      " << last << "\n";
  }
}

void print_cache(std::ostream& out, const ControlJson& status) {
  const std::uint64_t hits = json_number(status, "/cache/hits");
  const std::uint64_t misses = json_number(status, "/cache/misses");
  out << fmt::format("cache {}: {} of {}, {} objects, {} slabs\n", json_text(status, "/cache/dir"),
                     size_at(status, "/cache/bytes"), size_at(status, "/cache/limit_bytes"),
                     json_number(status, "/cache/objects"), json_number(status, "/cache/slabs"));
  out << fmt::format("  blocks    {} hits, {} misses ({} hits), {} stored\n", hits, misses,
                     percent(hits, hits + misses), json_number(status, "/cache/stored_blocks"));
  out << fmt::format("  trouble   {} corrupt, {} bypassed; {} evicted\n",
                     json_number(status, "/cache/corrupt_blocks"),
                     json_number(status, "/cache/bypassed_blocks"),
                     size_at(status, "/cache/evicted_bytes"));
  if (!json_flag(status, "/cache/writable")) {
    out << "  not writable: " << json_text(status, "/cache/writable_reason") << "\n";
  }
}

void print_daemon(std::ostream& out, const ControlJson& status) {
  out << fmt::format("lazyvold {}, pid {}, up {} s, {} resident\n", json_text(status, "/version"),
                     json_number(status, "/worker/pid"),
                     json_number(status, "/worker/uptime_seconds"),
                     size_at(status, "/worker/rss_bytes"));
  print_cache(out, status);
  const auto limits = status.value("limits", ControlJson::object());
  out << fmt::format("limits      connections {}, open files {}, mounts {}, memory {} of {}",
                     used_of(limits, "connections"), used_of(limits, "open_files"),
                     used_of(limits, "mounts"), size_at(limits, "/memory_bytes/used"),
                     size_at(limits, "/memory_bytes/limit"));
  if (json_number(limits, "/download_bytes_per_second/limit") != 0) {
    out << ", download " << size_at(limits, "/download_bytes_per_second/limit") << "/s";
  }
  out << "\n";
}

void print_status(std::ostream& out, const ControlJson& status, bool json) {
  if (json) {
    out << status.dump() << "\n";
    return;
  }
  print_daemon(out, status);
  for (const auto& mount : json_array(status, "/mounts")) {
    out << "\n";
    print_mount(out, mount);
  }
}

int status_of_mount(const std::string& path, bool json, Console console) {
  auto place = find_place(path);
  if (!place.ok()) return complain(console, place.error().message, kExitFailed);
  ControlJson& status = place->daemon.status;
  ControlJson only = ControlJson::array();
  for (const auto& mount : json_array(status, "/mounts")) {
    if (json_text(mount, "/mountpoint") == place->mountpoint) only.push_back(mount);
  }
  status["mounts"] = std::move(only);
  print_status(console.out, status, json);
  return kExitOk;
}

/// Mounts that the kernel still shows though nobody serves them.
void print_dead_mounts(std::ostream& out) {
  const auto mounts = fuse::read_mount_info();
  if (!mounts.ok()) return;
  for (const auto& mount : *mounts) {
    if (!mount.lazyvol() || !is_dead_mount(mount.mountpoint)) continue;
    out << "\n"
        << mount.source << " on " << mount.mountpoint << "\n  dead: its daemon is gone; "
        << "`lazyvol umount " << mount.mountpoint << "` removes it\n";
  }
}

}  // namespace

int run_status(const std::string& mountpoint, bool json, Console console) {
  if (!mountpoint.empty()) return status_of_mount(mountpoint, json, console);
  const auto daemons = find_daemons(runtime_dir(UserContext::current()));
  bool first = true;
  for (const auto& daemon : daemons) {
    if (!first && !json) console.out << "\n";
    first = false;
    print_status(console.out, daemon.status, json);
  }
  if (json) return kExitOk;
  if (daemons.empty()) console.out << "no lazyvold is running\n";
  print_dead_mounts(console.out);
  console.out.flush();
  return kExitOk;
}

}  // namespace lazyvol::daemon
