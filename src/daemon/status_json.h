// `status` as JSON: the names are a contract (tests/daemon/golden/status.txt, lazyvol(1)).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "cache/block_cache.h"
#include "daemon/mount_table.h"
#include "net/http_engine.h"

namespace lazyvol::daemon {

/// Everything that a status report says; a plain value.
struct DaemonStatus {
  std::string cache_dir;
  std::chrono::seconds uptime{0};
  std::int64_t pid = 0;
  std::uint64_t rss_bytes = 0;
  std::uint64_t open_files = 0, open_files_limit = 0;
  std::uint64_t memory_target = 0;
  std::uint64_t download_limit = 0;  ///< bytes per second; 0: none
  cache::CacheStats cache;
  net::HttpStats http;
  std::vector<MountStatus> mounts;
};

/// One line of JSON without a newline. Bytes that are no UTF-8 show as U+FFFD.
std::string status_to_json(const DaemonStatus& status);

/// Reads the gauges of the calling process (pid, RSS, open files) into `status`.
void fill_process_gauges(DaemonStatus& status);

}  // namespace lazyvol::daemon
