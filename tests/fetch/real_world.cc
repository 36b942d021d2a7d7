#include "real_world.h"

#include <cstdio>
#include <cstdlib>
#include <future>

#include "model/options.h"
#include "model/source_url.h"

namespace lazyvol::fetch::testing {
namespace {

template <class T>
T must(Result<T> result, const char* what) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "%s: %s\n", what, result.error().message.c_str());
  std::abort();
}

std::shared_ptr<cache::BlockCache> open_cache(const std::filesystem::path& dir) {
  std::filesystem::create_directories(dir);
  cache::CacheOptions options;
  options.dir = dir;
  options.free_space_ratio = 0;
  return must(cache::BlockCache::open(options), "cache");
}

std::shared_ptr<Source> open_source(const std::string& url, source::SourceEnvironment environment) {
  return must(source::make_source(must(model::parse_source_url(url), "url"), {}, environment),
              "source");
}

}  // namespace

RealWorld::RealWorld(const std::string& url, const std::filesystem::path& cache_dir,
                     FetchOptions options) {
  cache_ = open_cache(cache_dir);
  source_ = open_source(url, {http_, timer_, blocking_, bandwidth_});
  fetcher_ = Fetcher::make(source_, FetchEnvironment{cache_, timer_, disk_}, options, nullptr);
}

RealWorld::~RealWorld() {
  fetcher_->stop();
  timer_.stop();
  blocking_.stop();
  disk_.stop();
}

std::shared_ptr<Content> RealWorld::open(const std::string& path) {
  std::promise<Result<RemoteEntry>> answer;
  source_->stat(path, {}, [&](Result<RemoteEntry> result) { answer.set_value(std::move(result)); });
  const RemoteEntry entry = must(answer.get_future().get(), "stat");
  return fetcher_->open(
      {path, entry.validator, *entry.size, model::live_content_key("real", path, entry.validator)});
}

RealPublished::RealPublished(const std::vector<std::string>& urls,
                             const std::filesystem::path& cache_dir, FetchOptions options) {
  cache_ = open_cache(cache_dir);
  std::vector<std::shared_ptr<Source>> origins;
  for (const std::string& url : urls) {
    origins.push_back(open_source(url, {http_, timer_, blocking_, bandwidth_}));
  }
  fetcher_ = PublishedFetcher::make(std::move(origins), nullptr,
                                    FetchEnvironment{cache_, timer_, disk_}, options);
}

RealPublished::~RealPublished() {
  fetcher_->stop();
  timer_.stop();
  blocking_.stop();
  disk_.stop();
}

}  // namespace lazyvol::fetch::testing
