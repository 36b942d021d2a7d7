// Fetches ahead of those who go through a live directory file by file.
//
// Each small file costs its origin a request, and its reader a round trip. Whoever opens them in
// the order of the listing (tar, cp, grep, cat *) is a stream: a place in that order. Once some
// opens have confirmed it, a growing number of the files that follow is fetched ahead of it, as
// many at once as the mount has connections. Who goes on in the directory that comes next has a
// stream there from the first file. Larger files have the engine's own readahead (fetch/fetcher.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "base/locked.h"
#include "fetch/fetcher.h"
#include "volume/core.h"
#include "volume/entry_stats.h"

namespace lazyvol::volume {

/// Thread-safe. Waits for nothing; what is under way keeps it alive.
class SiblingReadahead : public std::enable_shared_from_this<SiblingReadahead> {
 public:
  static constexpr std::uint64_t kSmallFile = 1ULL << 20;  ///< longer ones are passed over
  static constexpr std::size_t kStreams = 16;
  /// Positions after the file that was opened last in which the next one belongs to the stream.
  static constexpr std::size_t kReach = 8;
  static constexpr unsigned kConfirmed = 3;  ///< opens in order, the first one included
  static constexpr std::size_t kFirstFiles = 16, kMaxFiles = 128;

  /// `max_bytes`: that are fetched ahead of one stream; 0 turns it off.
  SiblingReadahead(std::shared_ptr<Core> core, std::shared_ptr<EntryStats> entry_stats,
                   std::shared_ptr<fetch::Fetcher> fetcher, std::uint64_t max_bytes)
      : core_(std::move(core)),
        entry_stats_(std::move(entry_stats)),
        fetcher_(std::move(fetcher)),
        max_bytes_(max_bytes) {}

  /// The file `name` of `parent` is being opened; `content` is what open() of the fetcher gave.
  void opened(NodeId parent, const std::string& name, const fetch::Content& content);

 private:
  /// Positions in the listing's order.
  struct Stream {
    NodeId directory = 0;
    std::size_t at = 0;     ///< of the file that was opened last
    std::size_t until = 0;  ///< the last one that was asked for, or that confirms
    std::size_t half = 0;   ///< when this one is opened, it is time to go on
    unsigned opens = 1;
    std::size_t files = 0;  ///< asked for at once the last time
  };
  struct State {
    std::deque<Stream> streams;  // the latest first
    Stream fetched;              ///< the one that fetched last
  };
  std::optional<Stream> take(NodeId directory, std::size_t position);
  void put(Stream stream);
  Stream begin(NodeId directory);
  bool go_on(Stream& stream, std::uint64_t allowance);
  void fetch(NodeId parent, const std::string& name);

  const std::shared_ptr<Core> core_;
  const std::shared_ptr<EntryStats> entry_stats_;
  const std::shared_ptr<fetch::Fetcher> fetcher_;
  const std::uint64_t max_bytes_;
  base::Locked<State> state_;
};

}  // namespace lazyvol::volume
