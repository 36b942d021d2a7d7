// A Fetcher over everything real: a source by its URL, transfers by curl, a cache on disk.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/timer.h"
#include "base/workers.h"
#include "cache/block_cache.h"
#include "fetch/fetcher.h"
#include "fetch/published_fetcher.h"
#include "net/http_engine.h"
#include "source/registry.h"

namespace lazyvol::fetch::testing {

/// Owns threads, cache, source and fetcher. Aborts the program when something does not open.
/// Destruction and construction over the same directory play a restart.
class RealWorld {
 public:
  RealWorld(const std::string& url, const std::filesystem::path& cache_dir,
            FetchOptions options = {});
  ~RealWorld();
  RealWorld(const RealWorld&) = delete;
  RealWorld& operator=(const RealWorld&) = delete;

  /// Asks the source what is at `path` and opens that version.
  std::shared_ptr<Content> open(const std::string& path);
  Fetcher& fetcher() { return *fetcher_; }
  cache::BlockCache& cache() { return *cache_; }

 private:
  base::TimerQueue timer_;
  base::Workers disk_{"lv-disk", 2}, blocking_{"lv-block", 4};
  source::BandwidthLimit bandwidth_;
  net::HttpEngine http_{net::HttpEngineOptions{}};
  std::shared_ptr<cache::BlockCache> cache_;
  std::shared_ptr<Source> source_;
  std::shared_ptr<Fetcher> fetcher_;
};

/// The same for a published volume, whose packs lie at each of `urls`.
class RealPublished {
 public:
  RealPublished(const std::vector<std::string>& urls, const std::filesystem::path& cache_dir,
                FetchOptions options = {});
  ~RealPublished();
  RealPublished(const RealPublished&) = delete;
  RealPublished& operator=(const RealPublished&) = delete;

  PublishedFetcher& fetcher() { return *fetcher_; }
  cache::BlockCache& cache() { return *cache_; }

 private:
  base::TimerQueue timer_;
  base::Workers disk_{"lv-disk", 2}, blocking_{"lv-block", 4};
  source::BandwidthLimit bandwidth_;
  net::HttpEngine http_{net::HttpEngineOptions{}};
  std::shared_ptr<cache::BlockCache> cache_;
  std::shared_ptr<PublishedFetcher> fetcher_;
};

}  // namespace lazyvol::fetch::testing
