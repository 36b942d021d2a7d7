#include "daemon/runtime.h"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"

namespace lazyvol::daemon {
namespace {

constexpr std::size_t kBlockingThreads = 24;
constexpr std::size_t kWorkThreads = 2;

std::size_t disk_threads() {
  return std::clamp(std::thread::hardware_concurrency(), 2U, 8U);
}

net::HttpEngineOptions http_options() {
  net::HttpEngineOptions options;
  options.max_connections_per_host = kMaxConnectionsPerHost;
  options.max_connections_total = kMaxConnections;
  return options;
}

}  // namespace

Result<std::unique_ptr<Runtime>> Runtime::open(const RuntimeOptions& options) {
  cache::CacheOptions cache_options;
  cache_options.dir = options.cache_dir;
  cache_options.max_bytes = options.cache_size;
  cache_options.free_space_ratio = options.free_space_ratio;
  // Bytes that wait for the disk are memory, too: a quarter of the target may be such.
  cache_options.max_dirty_bytes =
      std::min(cache_options.max_dirty_bytes, options.memory_target / 4);
  LAZYVOL_TRY_ASSIGN(auto cache, cache::BlockCache::open(std::move(cache_options)));
  return std::unique_ptr<Runtime>(new Runtime(options, std::move(cache)));
}

Runtime::Runtime(const RuntimeOptions& options, std::shared_ptr<cache::BlockCache> cache)
    : options_(options),
      cache_(std::move(cache)),
      trees_(cache_->index()),
      heads_(cache_->index()),
      disk_("lv-disk", disk_threads()),
      blocking_("lv-block", kBlockingThreads),
      work_("lv-work", kWorkThreads),
      http_(std::make_unique<net::HttpEngine>(http_options())),
      git_(options.cache_dir / "git", source_environment()),
      limits_(CacheLimits{options.cache_size, options.free_space_ratio}) {}

Runtime::~Runtime() {
  timer_.stop();  // first: its tasks hand work to all others
  http_.reset();
  blocking_.stop();
  work_.stop();
  disk_.stop();
  if (auto status = cache_->commit(); !status.ok()) {
    base::log_warn("last commit of the cache: {}", status.error().message);
  }
}

source::SourceEnvironment Runtime::source_environment() {
  return {*http_, timer_, blocking_, bandwidth_};
}

void Runtime::set_download_limit(std::uint64_t bytes_per_second) {
  if (bandwidth_.rate() == bytes_per_second) return;
  bandwidth_.set_rate(bytes_per_second);
  base::log_info("download-limit is now {}", bytes_per_second == 0
                                                 ? std::string("unset")
                                                 : base::format_size(bytes_per_second) + "/s");
}

volume::VolumeEnvironment Runtime::volume_environment() {
  fetch::FetchEnvironment fetch{cache_, timer_, disk_, options_.memory_target / 2, gate_};
  return {base::system_clock(), timer_, work_, trees_, heads_, std::move(fetch)};
}

void Runtime::set_limits(const CacheLimits& limits) {
  auto current = limits_.lock();
  if (*current == limits) return;
  *current = limits;
  cache_->set_limits(limits.max_bytes, limits.free_space_ratio);
  base::log_info("cache limits are now: cache-size {}, free-space-ratio {}",
                 limits.max_bytes ? base::format_size(*limits.max_bytes) : std::string("unset"),
                 limits.free_space_ratio);
}

}  // namespace lazyvol::daemon
