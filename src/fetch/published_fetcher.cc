#include "fetch/published_fetcher.h"

#include <algorithm>
#include <utility>

#include "fetch/engine.h"
#include "fetch/frame_content.h"
#include "fetch/frame_source.h"

namespace lazyvol::fetch {
namespace {

/// The engine of long files has no patience of its own: its source, the frames, keeps all deadlines
/// and retries what is worth it. Bytes may be under way below while it sees none.
constexpr std::chrono::hours kNoDeadline{24};

FetchOptions for_long_files(FetchOptions options) {
  options.io_timeout = kNoDeadline;
  options.io_retries = 0;
  return options;
}

FrameStoreOptions for_frames(const FetchOptions& options) {
  FrameStoreOptions frames;
  frames.io_timeout = options.io_timeout;
  frames.io_retries = options.io_retries;
  frames.max_request_bytes = options.max_request_bytes;
  frames.max_requests = options.max_requests;
  // A frame that lies across the end of one request waits there for the next one.
  frames.data_memory = std::max(frames.data_memory, 3 * options.max_request_bytes);
  return frames;
}

/// Blocks being filled and frames on their way to them share the memory.
FetchEnvironment half(FetchEnvironment environment) {
  environment.memory_bytes /= 2;
  return environment;
}

/// The frames make way for readers below.
FetchEnvironment without_gate(FetchEnvironment environment) {
  environment.gate = nullptr;
  return environment;
}

/// Adds up what two engines did for one volume.
FetchStats sum(FetchStats a, const FetchStats& b) {
  a.reads += b.reads;
  a.bytes_read += b.bytes_read;
  a.hit_bytes += b.hit_bytes;
  a.requests += b.requests;
  a.bytes_fetched += b.bytes_fetched;
  a.retries += b.retries;
  a.failures += b.failures;
  a.stale += b.stale;
  a.cancelled += b.cancelled;
  a.whole_fetches += b.whole_fetches;
  a.readahead_bytes += b.readahead_bytes;
  a.unstored_blocks += b.unstored_blocks;
  a.in_flight_requests += b.in_flight_requests;
  a.in_flight_bytes += b.in_flight_bytes;
  a.waiting_reads += b.waiting_reads;
  a.peak_bytes += b.peak_bytes;
  return a;
}

class PublishedFetcherImpl final : public PublishedFetcher {
 public:
  PublishedFetcherImpl(std::vector<std::shared_ptr<Source>> origins,
                       std::shared_ptr<Source> objects, FetchEnvironment environment,
                       FetchOptions options)
      : options_(options),
        cache_(environment.cache),
        source_display_(origins.front()->traits().display),
        store_(FrameStore::make(std::move(origins), half(environment), for_frames(options))),
        source_(std::make_shared<FrameSource>(store_, source_display_)),
        engine_(std::make_shared<Engine>(source_, without_gate(half(environment)),
                                         for_long_files(options), nullptr)),
        objects_(objects == nullptr ? nullptr
                                    : Fetcher::make(std::move(objects), half(environment), options,
                                                    [](const ContentRef&) {})) {}
  ~PublishedFetcherImpl() override { stop(); }

  FrameStore& frames() override { return *store_; }

  std::shared_ptr<Content> open(const catalog::Entry& file) override {
    ContentRef ref;
    ref.path = file.name;
    ref.key = catalog::content_key(file);
    ref.validator = ref.key.hex();
    ref.size = file.size;
    const auto* object = std::get_if<catalog::ObjectContent>(&file.content);
    if (object != nullptr && objects_ != nullptr) {
      ref.path = object_path(*object);
      ref.validator = object->name;
      return objects_->open(std::move(ref));
    }
    if (file.size >= kLongFile) {
      ref.attachment = source_->attach(ref.validator, file);
      return engine_->open(std::move(ref));
    }
    const model::ContentKey key = ref.key;
    return small_->get(key, [&] {
      return std::make_shared<FrameContent>(store_, engine_->counters(), small_, std::move(ref),
                                            file.content);
    });
  }

  void hydrate(const catalog::Entry& file, RequestContext ctx,
               std::function<void(Status)> done) override {
    const auto content = open(file);
    content->want(0, file.size, std::move(ctx), [content, done = std::move(done)](Status status) {
      if (done) done(std::move(status));
    });
  }

  std::uint64_t evict(const catalog::Entry& file) override {
    const bool is_object = std::holds_alternative<catalog::ObjectContent>(file.content);
    if (is_object || file.size >= kLongFile) {
      return cache_->content(catalog::content_key(file), file.size)->evict();
    }
    std::uint64_t freed = 0;
    if (const auto extents = extents_at_hand(*store_, file.content, file.size, 0, file.size)) {
      for (const auto& frame : frames_of(*extents)) freed += store_->evict(frame, FrameUse::bundle);
    }
    return freed;
  }

  const FetchOptions& options() const override { return options_; }
  FrameStats frame_stats() const override { return store_->stats(); }

  FetchStats stats() const override {
    FetchStats stats = engine_->stats();
    const FrameStats frames = store_->stats();
    stats.requests = frames.requests;
    stats.bytes_fetched = frames.bytes_fetched;
    stats.retries = frames.retries;
    stats.failures = frames.failures;
    stats.unstored_blocks += frames.unstored;
    stats.in_flight_requests = frames.in_flight_requests;
    stats.in_flight_bytes += frames.in_flight_bytes;
    stats.peak_bytes += frames.peak_bytes;
    return objects_ == nullptr ? stats : sum(stats, objects_->stats());
  }

  void stop() override {
    engine_->stop();  // while the frames that it waits for can still be cancelled
    store_->stop();
    if (objects_ != nullptr) objects_->stop();
  }

 private:
  const FetchOptions options_;
  const std::shared_ptr<cache::BlockCache> cache_;
  const std::string source_display_;
  const std::shared_ptr<FrameStore> store_;
  const std::shared_ptr<FrameSource> source_;
  const std::shared_ptr<Engine> engine_;
  const std::shared_ptr<Fetcher> objects_;
  const std::shared_ptr<FrameContent::Registry> small_ = std::make_shared<FrameContent::Registry>();
};

}  // namespace

std::string object_path(const catalog::ObjectContent& object) {
  return "objects/" + object.name;
}

std::shared_ptr<PublishedFetcher> PublishedFetcher::make(
    std::vector<std::shared_ptr<Source>> origins, std::shared_ptr<Source> objects,
    FetchEnvironment environment, FetchOptions options) {
  return std::make_shared<PublishedFetcherImpl>(std::move(origins), std::move(objects),
                                                std::move(environment), options);
}

}  // namespace lazyvol::fetch
