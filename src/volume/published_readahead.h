// Fetches ahead of those who go through a published tree file by file.
//
// Small files lie in the catalog's order in their frames. Whoever opens one after the other in that
// order (tar, cp, grep, a compiler with its headers) would wait a round trip for each frame. So a
// stream is a place in that order: the first open makes one, one a little further on confirms it,
// and from then on a growing number of frames is fetched ahead of it. Files of blocks have the
// engine's own readahead (fetch/fetcher.h) and are passed over.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/locked.h"
#include "catalog/entry.h"
#include "catalog/key.h"
#include "fetch/published_fetcher.h"
#include "volume/published_revision.h"

namespace lazyvol::volume {

/// Thread-safe. Asks nobody but for the frames, and waits for nothing.
class PublishedReadahead {
 public:
  static constexpr std::size_t kStreams = 16;
  /// Entries after the one that was opened first in which the next one confirms the stream.
  static constexpr std::size_t kReach = 64;
  static constexpr std::size_t kFirstFrames = 4, kMaxFrames = 128;

  /// `max_bytes`: that are fetched ahead of one stream (before compression); 0 turns it off.
  /// `fetcher` must outlive this.
  PublishedReadahead(fetch::PublishedFetcher& fetcher, std::uint64_t max_bytes)
      : fetcher_(fetcher), max_bytes_(max_bytes) {}

  /// `file` is being opened; `content` is what open() of the fetcher gave for it. `ctx`: with the
  /// mount's patience, and a stop token that outlives the opener.
  void opened(const Revision& revision, const catalog::Entry& file, const fetch::Content& content,
              RequestContext ctx);

 private:
  struct Stream {
    std::uint64_t switches = 0;
    std::string at;          ///< key of the file that was opened last
    std::string until;       ///< keys up to this one were looked at
    std::string half;        ///< when this one is opened, it is time to go on
    std::size_t frames = 0;  ///< to be fetched next time; 0: not confirmed yet
  };
  struct Found;
  static Found look_ahead(const Revision& revision, const catalog::Place& place, std::size_t frames,
                          std::uint64_t bytes);
  std::optional<Stream> take(const Revision& revision, const std::string& key);
  void put(Stream stream);
  void go_on(const Revision& revision, Stream& stream, RequestContext ctx);

  fetch::PublishedFetcher& fetcher_;
  const std::uint64_t max_bytes_;
  base::Locked<std::deque<Stream>> streams_;  // the latest first
};

}  // namespace lazyvol::volume
