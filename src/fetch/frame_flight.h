// Frames under way and who wants them. Plain records.
// Every field is guarded by the frame engine's lock unless it says otherwise.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/locked.h"
#include "fetch/counters.h"
#include "fetch/frame_key.h"
#include "fetch/origin_ranks.h"
#include "lazyvol/error.h"
#include "lazyvol/request.h"

namespace lazyvol::fetch {

class FrameTransfer;
struct FrameFlight;

/// One get() that waits. Answers exactly once. Thread-safe.
///
/// The last reference must not be dropped while the engine's lock is held: the destructor waits for
/// a stop callback that may be running.
class PendingFrame {
 public:
  PendingFrame(FrameStore::Done done, std::shared_ptr<FrameCounters> counters)
      : counters_(std::move(counters)), done_(std::move(done)) {
    Counters::add(counters_->waiting);
  }
  PendingFrame(const PendingFrame&) = delete;
  PendingFrame& operator=(const PendingFrame&) = delete;

  /// No effect when it was answered before.
  void answer(Result<FrameBytes> result) {
    auto done = std::exchange(*done_.lock(), nullptr);
    if (!done) return;
    Counters::sub(counters_->waiting);
    if (!result.ok() && result.error().code == Code::cancelled) Counters::add(counters_->cancelled);
    done(std::move(result));
  }
  /// Calls `on_stop` once, inline when stopped already. Call at most once.
  void arm(const std::stop_token& token, std::function<void()> on_stop) {
    if (token.stop_possible()) on_stop_.emplace(token, std::move(on_stop));
  }

 private:
  const std::shared_ptr<FrameCounters> counters_;
  base::Locked<FrameStore::Done> done_;                               // empty once answered
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;  // set once, by arm()
};

/// One want(): walks over its frames, a bounded number of them in flight at a time. Like a
/// PendingFrame, its last reference must not be dropped under the engine's lock.
struct FrameWant {
  std::vector<catalog::FrameRef> frames;                    // constant
  FrameUse use = FrameUse::bundle;                          // constant
  RequestContext context;                                   // constant
  std::function<void(Status)> done;                         ///< moved out when finished
  std::size_t next = 0;                                     ///< of `frames`, not yet looked at
  std::unordered_set<std::shared_ptr<FrameFlight>> joined;  ///< that it waits for
  std::uint64_t joined_bytes = 0;                           ///< of these, as stored
  std::optional<Error> error;                               ///< the first one
  bool finished = false;
  bool advancing = false, advance_again = false;  ///< one thread at a time looks at its frames
  std::optional<std::stop_callback<std::function<void()>>> on_stop;  // set once, before shared
};

/// A frame that somebody asked the origins for, until it has come and, if it is to be kept, is
/// stored; or until all origins have failed.
struct FrameFlight {
  enum class State : std::uint8_t {
    idle,       ///< between two of the others, under one hold of the lock
    queued,     ///< for its turn
    delayed,    ///< until `due`, to be asked for again
    moving,     ///< `transfer` brings it
    verifying,  ///< its bytes are with a worker
    arrived,    ///< `bytes` are known; to be stored
  };

  explicit FrameFlight(const FramePlace& of) : place(of) {}

  const FramePlace place;  // constant
  State state = State::idle;
  bool keep = false;  ///< in the block cache
  Priority priority = Priority::reader;
  std::uint64_t age = 0;  ///< smaller is older
  Cause cause = Cause::read;
  std::uint32_t pid = 0;
  std::vector<std::shared_ptr<PendingFrame>> waiters;
  std::vector<std::shared_ptr<FrameWant>> wants;
  std::shared_ptr<FrameTransfer> transfer;  ///< while moving
  FrameBytes bytes;                         ///< once arrived
  std::uint64_t reserved = 0;               ///< of the memory budget

  // What happened so far.
  OriginSet tried = 0;                            ///< in this round
  OriginSet hopeless = 0;                         ///< will not be asked again for it
  std::array<std::uint8_t, kMaxOrigins> wrong{};  ///< how often each sent other bytes
  std::uint32_t retries = 0;                      ///< rounds since the last progress
  std::optional<Error> error;                     ///< the most telling one
  base::Monotonic created{}, progress{};          ///< progress: first start, or last byte
  base::Monotonic due{};                          ///< while delayed
  base::Monotonic since{};                        ///< in this state, for verifying and arrived

  /// Its beginning, from a request that broke off; the next one goes on from there.
  std::string partial;
  OriginSet partial_from = 0;
  bool whole_only = false;  ///< beginnings from several origins did not fit together

  bool wanted() const { return !waiters.empty() || !wants.empty(); }
  std::uint64_t begin() const { return place.ref.offset; }
  std::uint64_t end() const { return std::uint64_t{place.ref.offset} + place.ref.stored; }
  /// The memory that it takes: as stored and, when that is something else, decompressed.
  std::uint64_t cost() const {
    const catalog::FrameRef& ref = place.ref;
    return std::uint64_t{ref.raw} + (ref.stored == ref.raw ? 0 : ref.stored);
  }
};

}  // namespace lazyvol::fetch
