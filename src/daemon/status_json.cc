#include "daemon/status_json.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>

#include "daemon/control_server.h"

namespace lazyvol::daemon {
namespace {

using Json = nlohmann::ordered_json;

Json fetch_json(const fetch::FetchStats& s) {
  return {{"reads", s.reads},
          {"bytes_read", s.bytes_read},
          {"hit_bytes", s.hit_bytes},
          {"requests", s.requests},
          {"bytes_fetched", s.bytes_fetched},
          {"readahead_bytes", s.readahead_bytes},
          {"retries", s.retries},
          {"failures", s.failures},
          {"stale", s.stale},
          {"cancelled", s.cancelled},
          {"whole_fetches", s.whole_fetches},
          {"in_flight_requests", s.in_flight_requests},
          {"in_flight_bytes", s.in_flight_bytes},
          {"waiting_reads", s.waiting_reads}};
}

Json frames_json(const fetch::FrameStats& s) {
  return {{"memory_hits", s.memory_hits},
          {"disk_hits", s.disk_hits},
          {"frames", s.frames},
          {"pages", s.pages},
          {"requests", s.requests},
          {"bytes_fetched", s.bytes_fetched},
          {"corrupt", s.corrupt},
          {"missing_packs", s.missing_packs},
          {"retries", s.retries},
          {"failovers", s.failovers},
          {"failures", s.failures},
          {"cancelled", s.cancelled},
          {"in_flight_requests", s.in_flight_requests},
          {"in_flight_bytes", s.in_flight_bytes},
          {"waiting", s.waiting}};
}

Json published_json(const volume::PublishedStats& p) {
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  return {{"volume", p.volume},
          {"signer", p.signer},
          {"sequence", p.sequence},
          {"created", p.created_ns / kNsPerSecond},
          {"expires", p.expires_ns / kNsPerSecond},
          {"offline", p.offline},
          {"refreshes", p.refreshes},
          {"refresh_failures", p.refresh_failures},
          {"refresh_error", p.refresh_error},
          {"switches", p.switches},
          {"frames", frames_json(p.frames)}};
}

Json mount_json(const MountStatus& m) {
  Json json{{"source", m.source},
            {"mountpoint", m.mountpoint},
            {"options", m.options},
            {"scheme", m.traits.scheme},
            {"capabilities", m.traits.capabilities},
            {"age_seconds", m.age.count()},
            {"fuse",
             {{"requests", m.session.requests},
              {"errors", m.session.errors},
              {"interrupted", m.session.interrupted},
              {"waiting", m.session.waiting},
              {"passthrough", m.session.passthrough},
              {"passthrough_reason", m.session.passthrough_reason},
              {"passed_opens", m.session.passed_opens},
              {"passed_files", m.session.passed_files}}},
            {"metadata",
             {{"lists", m.volume.lists},
              {"stats", m.volume.stats},
              {"not_modified", m.volume.not_modified},
              {"stale_served", m.volume.stale_served},
              {"failures", m.volume.failures}}},
            {"fetch", fetch_json(m.volume.fetch)}};
  json["layout"] = m.volume.published ? "published" : "files";
  if (m.volume.published) json["published"] = published_json(*m.volume.published);
  return json;
}

Json cache_json(const std::string& dir, const cache::CacheStats& c) {
  return {{"dir", dir},
          {"bytes", c.bytes},
          {"limit_bytes", c.limit_bytes},
          {"hits", c.hits},
          {"misses", c.misses},
          {"stored_blocks", c.stored_blocks},
          {"evicted_bytes", c.evicted_bytes},
          {"corrupt_blocks", c.corrupt_blocks},
          {"bypassed_blocks", c.bypassed_blocks},
          {"objects", c.objects},
          {"slabs", c.slabs},
          {"writable", c.writable},
          {"writable_reason", c.writable_reason}};
}

Json limit_json(std::uint64_t limit, std::uint64_t used) {
  return {{"limit", limit}, {"used", used}};
}

Json limits_json(const DaemonStatus& s) {
  std::uint64_t in_flight_bytes = 0;
  for (const auto& mount : s.mounts) in_flight_bytes += mount.volume.fetch.in_flight_bytes;
  return {{"cache_bytes", limit_json(s.cache.limit_bytes, s.cache.bytes)},
          {"memory_bytes", limit_json(s.memory_target, in_flight_bytes)},
          {"connections", limit_json(kMaxConnections, s.http.in_flight)},
          {"mounts", limit_json(kMaxMounts, s.mounts.size())},
          {"open_files", limit_json(s.open_files_limit, s.open_files)},
          {"download_bytes_per_second", {{"limit", s.download_limit}}}};
}

}  // namespace

std::string status_to_json(const DaemonStatus& s) {
  Json mounts = Json::array();
  for (const auto& mount : s.mounts) mounts.push_back(mount_json(mount));
  const Json body{
      {"version", LAZYVOL_VERSION},
      {"worker",
       {{"pid", s.pid}, {"uptime_seconds", s.uptime.count()}, {"rss_bytes", s.rss_bytes}}},
      {"mounts", std::move(mounts)},
      {"cache", cache_json(s.cache_dir, s.cache)},
      {"network",
       {{"requests", s.http.requests},
        {"failures", s.http.failures},
        {"connections_opened", s.http.connections_opened},
        {"bytes_received", s.http.bytes_received},
        {"in_flight", s.http.in_flight},
        {"queued", s.http.queued},
        {"connections_allowed", s.http.connections_allowed}}},
      {"limits", limits_json(s)}};
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void fill_process_gauges(DaemonStatus& status) {
  status.pid = getpid();
  std::uint64_t pages = 0, resident = 0;
  if (std::ifstream statm("/proc/self/statm"); statm >> pages >> resident) {
    status.rss_bytes = resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  }
  std::error_code error;
  std::filesystem::directory_iterator it("/proc/self/fd", error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    ++status.open_files;
  }
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) status.open_files_limit = files.rlim_cur;
}

}  // namespace lazyvol::daemon
