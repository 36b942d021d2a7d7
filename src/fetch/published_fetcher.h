// Contents of published files: small ones out of shared frames, long ones in blocks of their own.
//
// A file of less than kLongFile bytes is read straight from its frames, which the cache keeps whole
// (neighbours come along). A longer one is cached decompressed under its content key at its natural
// offsets, block by block, as live contents are, so that it can be wholly cached as one object
// file; its frames only pass through memory. So long files get single flight, coalescing, readahead
// and the memory budget of the one engine, whose source is then the frames.
//
// A file whose bytes are an object (catalog::ObjectContent) is read in blocks like a live one, from
// the source of objects: the file "objects/NAME" there, whose validator is NAME.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "catalog/entry.h"
#include "fetch/fetcher.h"
#include "fetch/frame_store.h"

namespace lazyvol::fetch {

/// From here on a content is kept in blocks: where the cache makes object files.
inline constexpr std::uint64_t kLongFile = 1ULL << 20;

/// Where an object lies in the source of objects.
std::string object_path(const catalog::ObjectContent& object);

/// One per volume. Thread-safe.
class PublishedFetcher {
 public:
  /// `objects` may be null: a file that is an object is then damaged.
  static std::shared_ptr<PublishedFetcher> make(std::vector<std::shared_ptr<Source>> origins,
                                                std::shared_ptr<Source> objects,
                                                FetchEnvironment environment, FetchOptions options);
  virtual ~PublishedFetcher() = default;

  virtual FrameStore& frames() = 0;
  /// The content of a file entry (also an empty or inline one), whose size is known. The same
  /// object for the same content key while anyone holds it. Asks nobody.
  virtual std::shared_ptr<Content> open(const catalog::Entry& file) = 0;
  /// Fetches all of a file into the cache. `done` comes when it is stored or failed.
  virtual void hydrate(const catalog::Entry& file, RequestContext ctx,
                       std::function<void(Status)> done) = 0;
  /// Drops what is cached of a file (frames that it shares with others, too). `done` gets the bytes
  /// freed; it may have to fetch nothing: what is not known to be cached is not there.
  virtual std::uint64_t evict(const catalog::Entry& file) = 0;

  virtual const FetchOptions& options() const = 0;
  /// Reads and hits of the readers; requests and bytes to and from the origins.
  virtual FetchStats stats() const = 0;
  virtual FrameStats frame_stats() const = 0;
  /// As Fetcher::stop().
  virtual void stop() = 0;
};

}  // namespace lazyvol::fetch
