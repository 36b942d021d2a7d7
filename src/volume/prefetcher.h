// Fetches a tree into the cache: a walk in depth, with a bounded number of pieces in flight.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/locked.h"
#include "fetch/fetcher.h"
#include "volume/core.h"
#include "volume/entry_stats.h"
#include "volume/listings.h"

namespace lazyvol::volume {

class Prefetcher : public std::enable_shared_from_this<Prefetcher> {
 public:
  static constexpr std::size_t kPiecesAtOnce = 16;
  static constexpr std::uint64_t kPieceBytes = 16ULL << 20;
  static constexpr std::size_t kQuestionsAtOnce = 16;  ///< listings and stats
  static constexpr std::chrono::milliseconds kProgressEvery{100};

  struct Parts {
    std::shared_ptr<Core> core;
    std::shared_ptr<Listings> listings;
    std::shared_ptr<EntryStats> entry_stats;
    std::shared_ptr<fetch::Fetcher> fetcher;
  };
  using Progress = std::function<void(const PrefetchProgress&)>;
  using Done = std::function<void(Result<PrefetchProgress>)>;

  /// As Volume::prefetch. `path` is relative to the volume's root.
  static void run(Parts parts, std::string path, RequestContext ctx, Progress progress, Done done);

 private:
  struct Open {  // a directory whose entries are being gone through
    NodeId id = 0;
    std::vector<cache::StoredEntry> entries;
    std::size_t next = 0;
  };
  struct FileLeft {  // a file of which pieces are in flight or still to be asked for
    std::shared_ptr<fetch::Content> content;
    std::uint64_t next = 0;  // not yet asked for from here on
    std::size_t in_flight = 0;
    bool failed = false;
  };
  struct State {
    std::vector<Open> open;                       // the deepest last
    std::vector<NodeId> directories;              // found, not yet listed
    std::deque<std::shared_ptr<FileLeft>> files;  // with pieces still to be asked for
    std::size_t questions = 0, pieces = 0;
    PrefetchProgress progress;
    unsigned failed_questions = 0, failed_pieces = 0;  // in a row
    base::Monotonic reported{};
    Done done;
  };
  struct Step;  // what advance() decided to do outside the lock

  Prefetcher(Parts parts, RequestContext ctx, Progress progress)
      : parts_(std::move(parts)), ctx_(std::move(ctx)), progress_(std::move(progress)) {}
  void descend(NodeId directory, std::string rest);
  void advance();
  Step next_step(State& state);
  void take(Step step);
  void list(NodeId directory);
  void know(NodeId parent, const cache::StoredEntry& entry);
  void add_file(NodeId parent, const cache::StoredEntry& entry);
  void want(const std::shared_ptr<FileLeft>& file, std::uint64_t begin, std::uint64_t end);
  void outcome(const Status& status, unsigned State::*failures);
  void continue_later();
  void report();
  void finish(Result<PrefetchProgress> result);
  bool stopped() const;

  const Parts parts_;
  const RequestContext ctx_;
  const Progress progress_;
  std::shared_ptr<Activity::Token> token_;
  base::Locked<State> state_;
};

}  // namespace lazyvol::volume
