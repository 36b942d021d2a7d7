// The only gate to remote bytes: cache or source, single flight, priorities, budgets, verification.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/timer.h"
#include "base/workers.h"
#include "cache/block_cache.h"
#include "fetch/background_gate.h"
#include "lazyvol/request.h"
#include "lazyvol/source.h"
#include "model/content.h"

namespace lazyvol::fetch {

/// What all volumes of a process share. The owner keeps it alive longer than every Fetcher.
struct FetchEnvironment {
  std::shared_ptr<cache::BlockCache> cache;
  base::TimerQueue& timer;
  base::Workers& disk;                        ///< checksums and cache writes
  std::uint64_t memory_bytes = 128ULL << 20;  ///< in flight and not yet stored, per Fetcher
  /// Shared by all that take bytes from origins; null where that is looked after below.
  std::shared_ptr<BackgroundGate> gate = std::make_shared<BackgroundGate>();
};

struct FetchOptions {
  std::chrono::milliseconds io_timeout{10'000};
  std::uint32_t io_retries = 10;
  std::chrono::milliseconds first_retry_delay{100};  ///< doubles with each retry (net/retry.h)
  std::uint64_t max_request_bytes = 8ULL << 20;      ///< of one coalesced range request
  std::uint32_t max_requests = 16;                   ///< range requests in flight
  std::uint64_t max_readahead = 128ULL << 20;
  bool readahead = true;
};

struct FetchStats {
  std::uint64_t reads = 0, bytes_read = 0;        ///< asked for by readers
  std::uint64_t hit_bytes = 0;                    ///< answered from the cache
  std::uint64_t requests = 0, bytes_fetched = 0;  ///< to and from the source
  std::uint64_t retries = 0, failures = 0, stale = 0, cancelled = 0, whole_fetches = 0;
  std::uint64_t readahead_bytes = 0;
  std::uint64_t unstored_blocks = 0;  ///< that the cache refused, or was too slow for
  /// Gauges. The bytes are also those that the cache did not take, which live on, within a quarter
  /// of the memory, while their content is open.
  std::uint64_t in_flight_requests = 0, in_flight_bytes = 0, waiting_reads = 0;
  std::uint64_t peak_bytes = 0;  ///< the most that in_flight_bytes ever was
};

/// The identity and place of one version of a file.
struct ContentRef {
  std::string path;  ///< in the source
  std::string validator;
  std::uint64_t size = 0;
  model::ContentKey key;
  /// What the source needs to know for as long as the content is open; most need nothing.
  std::shared_ptr<const void> attachment = nullptr;
};

/// An open content. Reads of all handles of one key share it (and its flights). Thread-safe.
class Content {
 public:
  using ReadDone = std::function<void(Result<std::size_t>)>;
  virtual ~Content() = default;
  virtual const ContentRef& ref() const = 0;
  /// As File::read. Answered inline when every block is cached.
  virtual void read(std::uint64_t offset, std::span<std::byte> out, RequestContext ctx,
                    ReadDone done) = 0;
  /// Fetches what is missing of [begin, end) without giving it to anyone. `done` (may be null)
  /// comes when all of it is stored or failed.
  virtual void want(std::uint64_t begin, std::uint64_t end, RequestContext ctx,
                    std::function<void(Status)> done) = 0;
  /// True once the source said that this version is gone.
  virtual bool stale() const = 0;
  /// Whether all of [begin, end) can probably be read without asking the source.
  virtual bool has(std::uint64_t begin, std::uint64_t end) const = 0;
  /// The cache's own file of it, as cache::CachedContent::lend().
  virtual std::unique_ptr<LocalFile> local() { return nullptr; }
  /// How many bytes ahead of a reader are worth fetching now: less when memory or the queue is
  /// short, or when the cache does not store and what is fetched ahead lives in memory only.
  virtual std::uint64_t readahead_allowance() const = 0;
};

/// One reader's view of a Content: its own read pattern, and readahead from it. Thread-safe.
class ContentReader {
 public:
  ContentReader(std::shared_ptr<Content> content, const FetchOptions& options);
  ~ContentReader();
  /// As Content::read; also starts readahead. Closing cancels readahead that nobody else wants.
  void read(std::uint64_t offset, std::span<std::byte> out, RequestContext ctx,
            Content::ReadDone done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// One per volume. Destruction cancels what is under way and waits for its callbacks.
class Fetcher {
 public:
  /// `on_stale(path)` is called (on any thread, no lock held) when the source no longer has a
  /// version that someone reads.
  static std::shared_ptr<Fetcher> make(std::shared_ptr<Source> source, FetchEnvironment environment,
                                       FetchOptions options,
                                       std::function<void(const ContentRef&)> on_stale);
  virtual ~Fetcher() = default;
  /// The same Content for the same key while anyone holds it.
  virtual std::shared_ptr<Content> open(ContentRef ref) = 0;
  virtual const FetchOptions& options() const = 0;
  virtual FetchStats stats() const = 0;
  /// Cancels everything under way, stores the blocks that have arrived, and waits until no callback
  /// can come any more. The source then keeps nothing alive, whichever sinks it still holds.
  /// Idempotent; not from a callback.
  virtual void stop() = 0;
};

}  // namespace lazyvol::fetch
