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

}  // namespace

RealWorld::RealWorld(const std::string& url, const std::filesystem::path& cache_dir,
                     FetchOptions options) {
  std::filesystem::create_directories(cache_dir);
  cache::CacheOptions cache_options;
  cache_options.dir = cache_dir;
  cache_options.free_space_ratio = 0;
  cache_ = must(cache::BlockCache::open(cache_options), "cache");
  source_ = must(source::make_source(must(model::parse_source_url(url), "url"), {},
                                     {http_, timer_, blocking_}),
                 "source");
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

}  // namespace lazyvol::fetch::testing
