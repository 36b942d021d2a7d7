// What all mounts of a daemon share: the cache, the network, the threads.
//
// Threads: "lv-disk-i" (checksums, cache writes), "lv-block-i" (sources that block), "lv-work-i"
// (index writes, notifications, unmounts), "lv-timer", and the transfer thread of net::HttpEngine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/locked.h"
#include "base/timer.h"
#include "base/workers.h"
#include "cache/block_cache.h"
#include "cache/tree_store.h"
#include "git/git_origins.h"
#include "lazyvol/error.h"
#include "net/http_engine.h"
#include "source/bandwidth_limit.h"
#include "source/registry.h"
#include "volume/mounted_volume.h"

namespace lazyvol::daemon {

inline constexpr double kDefaultFreeSpaceRatio = 0.1;
inline constexpr std::uint64_t kDefaultMemoryTarget = 256ULL << 20;
inline constexpr std::uint64_t kLeastMemoryTarget = 32ULL << 20;
/// Connections of the whole process, and to one host. A mount bounds itself by max-connections.
inline constexpr std::uint32_t kMaxConnections = 256;
inline constexpr std::uint32_t kMaxConnectionsPerHost = 64;

struct RuntimeOptions {
  std::filesystem::path cache_dir;          ///< canonical
  std::optional<std::uint64_t> cache_size;  ///< bytes
  double free_space_ratio = kDefaultFreeSpaceRatio;
  std::uint64_t memory_target = kDefaultMemoryTarget;  ///< bytes, for the whole process
};

/// Bounds on what is stored.
struct CacheLimits {
  std::optional<std::uint64_t> max_bytes;
  double free_space_ratio = kDefaultFreeSpaceRatio;
  bool operator==(const CacheLimits&) const = default;
};

/// Owns the shared parts. Destruction stops threads in the order that lets none of them reach a
/// part that is gone; whoever uses the environments (mounts) ends before. Thread-safe.
class Runtime {
 public:
  /// Opens the cache directory (made when missing) and starts the threads.
  /// Errors: those of cache::BlockCache::open.
  static Result<std::unique_ptr<Runtime>> open(const RuntimeOptions& options);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  cache::BlockCache& cache() { return *cache_; }
  base::Workers& work() { return work_; }
  net::HttpStats http_stats() const { return http_->stats(); }
  const RuntimeOptions& options() const { return options_; }

  source::SourceEnvironment source_environment();
  volume::VolumeEnvironment volume_environment();
  git::GitOrigins& git() { return git_; }

  CacheLimits limits() const { return *limits_.lock(); }
  /// Changes the cache's limits at run time, with one log line when they differ from the present.
  void set_limits(const CacheLimits& limits);
  /// Bytes per second from all origins but git repositories; 0: no limit.
  std::uint64_t download_limit() const { return bandwidth_.rate(); }
  /// Likewise, at run time.
  void set_download_limit(std::uint64_t bytes_per_second);

 private:
  Runtime(const RuntimeOptions& options, std::shared_ptr<cache::BlockCache> cache);

  const RuntimeOptions options_;
  const std::shared_ptr<cache::BlockCache> cache_;
  cache::TreeStore trees_;
  cache::HeadStore heads_;
  base::TimerQueue timer_;
  base::Workers disk_;
  base::Workers blocking_;
  base::Workers work_;
  source::BandwidthLimit bandwidth_;
  const std::shared_ptr<fetch::BackgroundGate> gate_ = std::make_shared<fetch::BackgroundGate>();
  std::unique_ptr<net::HttpEngine> http_;
  git::GitOrigins git_;
  base::Locked<CacheLimits> limits_;
};

}  // namespace lazyvol::daemon
