// The only gate to frames of published volumes: memory, block cache or source, single flight,
// verified before anything is decompressed. docs/format.md, "Frames".
//
// Frames that are wanted at the same time and lie side by side in a pack are fetched by one range
// request; each is handed over as its last byte arrives. A frame that does not match its hash is
// counted, asked for elsewhere (other origins, else the same again), and never seen by anybody.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "catalog/frame.h"
#include "fetch/fetcher.h"
#include "lazyvol/request.h"
#include "lazyvol/source.h"

namespace lazyvol::fetch {

/// What a frame holds: says how it is checked beyond its hash, and where it is kept.
enum class FrameUse : std::uint8_t {
  page,    ///< of a catalog: validated once, when it arrives; kept on disk and in memory
  map,     ///< a file map: the same
  bundle,  ///< contents of small files: kept on disk, and in memory for a while
  part,    ///< of a long file, whose blocks the cache keeps: in memory for a while only
};

struct FrameStoreOptions {
  std::chrono::milliseconds io_timeout{10'000};
  std::uint32_t io_retries = 10;
  std::uint64_t max_request_bytes = 8ULL << 20;
  std::uint32_t max_requests = 16;          ///< range requests in flight
  std::uint64_t max_gap = 16ULL << 10;      ///< bytes that nobody wants worth fetching along
  std::uint64_t page_memory = 8ULL << 20;   ///< decoded pages and maps
  std::uint64_t data_memory = 24ULL << 20;  ///< decoded contents
};

struct FrameStats {
  std::uint64_t memory_hits = 0, disk_hits = 0;   ///< frames
  std::uint64_t frames = 0, pages = 0;            ///< fetched; pages: of which page or map
  std::uint64_t requests = 0, bytes_fetched = 0;  ///< to and from the origins
  std::uint64_t corrupt = 0;                      ///< did not match their hash, or could not be
  std::uint64_t missing_packs = 0;                ///< an origin lacked a pack
  std::uint64_t retries = 0, failovers = 0, failures = 0, cancelled = 0;
  std::uint64_t unstored = 0;    ///< frames that the cache refused, or was too slow for
  std::uint64_t peak_bytes = 0;  ///< the most that in_flight_bytes ever was
  std::uint64_t in_flight_requests = 0, in_flight_bytes = 0, waiting = 0;  ///< gauges
};

/// Decompressed, verified; immutable and shared.
using FrameBytes = std::shared_ptr<const std::string>;

class FrameStore {
 public:
  using Done = std::function<void(Result<FrameBytes>)>;

  /// `origins` hold the same packs, the preferred one first; at least one. They need not be
  /// trusted.
  static std::shared_ptr<FrameStore> make(std::vector<std::shared_ptr<Source>> origins,
                                          FetchEnvironment environment, FrameStoreOptions options);
  virtual ~FrameStore() = default;

  /// Answered inline when memory or disk has it. Errors: corrupt (no origin has the right bytes),
  /// io_error (no origin has the pack), unreachable, timed_out, access_denied, cancelled.
  /// Never not_found: a frame that a signed head leads to exists.
  virtual void get(const catalog::FrameRef& frame, FrameUse use, RequestContext ctx, Done done) = 0;
  /// The frame if it can be had without asking an origin; null otherwise.
  virtual FrameBytes at_hand(const catalog::FrameRef& frame, FrameUse use) = 0;
  /// Whether at_hand() would probably give it. Reads nothing of it.
  virtual bool has(const catalog::FrameRef& frame, FrameUse use) const = 0;
  /// Fetches what is not at hand of `frames`, with as few requests as possible, for nobody yet:
  /// `page`, `map` and `bundle` go to disk, `part` stays in memory for a while. `done` may be null.
  virtual void want(std::vector<catalog::FrameRef> frames, FrameUse use, RequestContext ctx,
                    std::function<void(Status)> done) = 0;
  /// Says that nobody is likely to ask for this frame again soon: it leaves memory first.
  virtual void used_up(const catalog::FrameRef& frame, FrameUse use) = 0;
  /// Drops what the disk and memory hold of it. Answers with the bytes freed on disk.
  virtual std::uint64_t evict(const catalog::FrameRef& frame, FrameUse use) = 0;
  /// How many bytes ahead of a reader are worth fetching now, as Content::readahead_allowance().
  virtual std::uint64_t allowance() const = 0;

  virtual FrameStats stats() const = 0;
  /// Cancels what waits and returns when no callback can come any more. Idempotent.
  virtual void stop() = 0;
};

}  // namespace lazyvol::fetch
