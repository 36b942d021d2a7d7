// Fetches a tree of a published volume into the cache.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/locked.h"
#include "volume/published_core.h"
#include "volume/published_walk.h"

namespace lazyvol::volume {

/// Small files are fetched by the frames that they share, many in one batch; long ones by
/// themselves. What is in flight, and what was found and not begun yet, is bounded.
class PublishedPrefetcher : public std::enable_shared_from_this<PublishedPrefetcher> {
 public:
  static constexpr std::size_t kFilesAtOnce = 8;
  static constexpr std::size_t kBatchesAtOnce = 3;
  static constexpr std::size_t kBatchFrames = 256;
  static constexpr std::uint64_t kBatchBytes = 16ULL << 20;  ///< decompressed
  static constexpr std::chrono::milliseconds kProgressEvery{100};

  using Progress = std::function<void(const PrefetchProgress&)>;
  using Done = std::function<void(Result<PrefetchProgress>)>;

  /// As Volume::prefetch.
  static void run(std::shared_ptr<PublishedCore> core, std::string path, RequestContext ctx,
                  Progress progress, Done done);

 private:
  struct FrameHash {
    std::size_t operator()(const catalog::FrameRef& ref) const {
      return catalog::DigestHash()(ref.hash);
    }
  };
  struct Batch {
    std::unordered_set<catalog::FrameRef, FrameHash> frames;
    std::vector<catalog::FrameRef> order;
    std::vector<catalog::Entry> files;
    std::uint64_t raw_bytes = 0;
  };
  struct State {
    bool walking = false;              // a page is on its way
    Batch filling;                     // not full yet
    std::deque<Batch> batches;         // full
    std::deque<catalog::Entry> files;  // to be fetched alone
    std::size_t batches_in_flight = 0, files_in_flight = 0;
    unsigned failures_in_a_row = 0;
    PrefetchProgress progress;
    base::Monotonic reported{};
    Done done;
  };
  struct Step;

  PublishedPrefetcher(std::shared_ptr<PublishedCore> core, RequestContext ctx, Progress progress);
  bool stopped() const;
  void begin(const std::optional<catalog::Entry>& entry);
  void advance();
  Step next_step(State& state);
  void walk();
  void walked(Result<PublishedWalk::Entries> entries);
  void found(State& state, catalog::Entry entry);
  void fetch(const std::shared_ptr<const Batch>& batch);
  void fetch(const catalog::Entry& file);
  void hydrate(const catalog::Entry& file);
  void fetched(std::uint64_t size, const Status& status);
  void outcome(const Status& status);
  void continue_later();
  void report();
  void finish(Result<PrefetchProgress> result);

  const std::shared_ptr<PublishedCore> core_;
  const std::shared_ptr<const Revision> revision_;
  const RequestContext ctx_;
  const Progress progress_;
  std::shared_ptr<Activity::Token> token_;
  PublishedWalk walk_;  // used while State::walking, and by whoever sets that
  base::Locked<State> state_;
};

}  // namespace lazyvol::volume
