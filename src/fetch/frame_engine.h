// The state machine behind a FrameStore: frames in flight, range requests, origins, memory,
// retries.
//
// As fetch/engine.h: one lock guards all of it and is held for bookkeeping only. Entry points
// change the state under the lock, collect effects, perform them without the lock, and then pump():
// start whatever may start now. Lock order: this → timer, frame memory, block cache (has() alone).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/locked.h"
#include "fetch/activity.h"
#include "fetch/buffer_pool.h"
#include "fetch/counters.h"
#include "fetch/frame_disk.h"
#include "fetch/frame_effects.h"
#include "fetch/frame_memory.h"
#include "fetch/frame_queue.h"
#include "fetch/frame_store.h"
#include "fetch/origin_ranks.h"
#include "fetch/transfer_pace.h"

namespace lazyvol::fetch {

/// A disk that keeps a frame, or the verifying of one, waiting for longer is passed by.
inline constexpr std::chrono::seconds kSlowDiskForFrames{1};

class FrameEngine final : public FrameStore, public std::enable_shared_from_this<FrameEngine> {
 public:
  FrameEngine(std::vector<std::shared_ptr<Source>> origins, FetchEnvironment environment,
              FrameStoreOptions options);

  // FrameStore
  void get(const catalog::FrameRef& frame, FrameUse use, RequestContext ctx, Done done) override;
  FrameBytes at_hand(const catalog::FrameRef& frame, FrameUse use) override;
  bool has(const catalog::FrameRef& frame, FrameUse use) const override;
  void want(std::vector<catalog::FrameRef> frames, FrameUse use, RequestContext ctx,
            std::function<void(Status)> done) override;
  void used_up(const catalog::FrameRef& frame, FrameUse use) override;
  std::uint64_t evict(const catalog::FrameRef& frame, FrameUse use) override;
  std::uint64_t allowance() const override { return allowance_.load(std::memory_order_relaxed); }
  FrameStats stats() const override;
  void stop() override;

  // For transfers, on the source's thread.
  const std::shared_ptr<Occupancy>& occupancy() const { return occupancy_; }
  void received(std::size_t bytes);
  void frame_complete(FrameTransfer& transfer, std::size_t index, std::string stored,
                      OriginSet from);
  void transfer_done(std::shared_ptr<FrameTransfer> transfer, Status status);

 private:
  using Flight = std::shared_ptr<FrameFlight>;
  struct Failure {
    Error error;
    base::Monotonic until{};
  };
  /// A frame as it came.
  struct Arrival {
    Flight flight;
    std::string stored;
    OriginSet from = 0;
    base::Monotonic asked{};
  };
  struct State {
    explicit State(std::size_t origins) : ranks(origins) {}
    std::unordered_map<FramePlace, Flight, FramePlaceHash> flights;
    FrameQueue queue;
    OriginRanks ranks;
    TransferPace pace;
    HedgeBudget hedges;
    std::set<std::shared_ptr<FrameTransfer>> active;
    std::deque<Flight> unstored;      ///< arrived, to be kept; oldest first
    bool storing = false;             ///< a worker stores, or is about to
    bool disk_stuck = false;          ///< nothing stored since frames had to pass it by
    bool bypass = false;              ///< the cache refused the last frame
    std::deque<Arrival> to_verify;    ///< no worker has taken them yet; oldest first
    std::set<Flight> verifying;       ///< these, and those that one has
    std::uint64_t partial_bytes = 0;  ///< reserved by flights that wait with a beginning
    /// Failures, remembered for a moment: no storm of requests, and no second deadline for the page
    /// that the kernel asks for again when its readahead failed.
    std::unordered_map<FramePlace, Failure, FramePlaceHash> failed;
    std::uint64_t next_age = 1;
    base::TimerQueue::Id tick = 0;  ///< 0 = none armed
    base::Monotonic tick_at{};
    std::mt19937_64 rng{std::random_device{}()};
    base::Monotonic quiet_until{};  ///< no further trouble is logged before
    bool pumping = false;
    bool stopping = false;
  };
  // frame_engine.cc: effects
  void run(FrameEffects& effects);
  void perform(FrameEffects& effects);
  FrameBytes look(const FrameId& id);
  FrameBytes arriving(const FramePlace& place);

  // frame_interest.cc: who wants what
  struct AtHand {
    bool enough = false;  ///< nothing is to be done
    FrameBytes bytes;     ///< in memory, and to be stored
  };
  std::optional<Error> refusal(State& state, const FramePlace& place);
  Flight take_off(State& state, const FramePlace& place, FrameUse use, const RequestContext& ctx);
  void join(State& state, const Flight& flight, FrameUse use, const RequestContext& ctx,
            FrameEffects& fx);
  void arm(const std::shared_ptr<PendingFrame>& pending, const Flight& flight,
           const std::stop_token& stop);
  void advance(const std::shared_ptr<FrameWant>& want);
  bool look_further(const std::shared_ptr<FrameWant>& want, FrameEffects& fx);
  AtHand find_out(const FrameWant& want, const catalog::FrameRef& frame);
  void wait_for(State& state, const std::shared_ptr<FrameWant>& want,
                const catalog::FrameRef& frame, const AtHand& known, FrameEffects& fx);
  bool has_room(const FrameWant& want, unsigned share = 1) const;
  void finish_want(const std::shared_ptr<FrameWant>& want, Status status, FrameEffects& fx);
  void wants_done(const Flight& flight, const Status& status, FrameEffects& fx);
  void cancel_want(const std::shared_ptr<FrameWant>& want);
  void drop_interest(State& state, const Flight& flight, FrameEffects& fx);
  void abandon_unwanted(State& state, std::shared_ptr<FrameTransfer> transfer, FrameEffects& fx);
  std::vector<Flight> part(const std::shared_ptr<FrameTransfer>& transfer, FrameEffects& fx);
  void give_up(const Flight& flight, const Error& error, FrameEffects& fx);
  void land(State& state, const Flight& flight, FrameEffects& fx);

  // frame_admission.cc: what may start
  void pump();
  std::shared_ptr<FrameTransfer> admit(State& state, FrameEffects& fx);
  bool gate_lets(State& state, const FrameFlight& flight, std::uint64_t& most_bytes);
  bool make_room(State& state, FrameFlight& flight, FrameEffects& fx);
  std::shared_ptr<FrameTransfer> begin(State& state, const Flight& first, std::uint64_t most_bytes);
  std::vector<Flight> with_neighbours(State& state, const Flight& first, std::size_t origin,
                                      std::uint64_t most);
  bool comes_along(FrameFlight& flight, std::size_t origin);
  std::chrono::milliseconds patience(const State& state, const FrameFlight& flight,
                                     OriginRanks::Choice choice, base::Monotonic now) const;
  void start(const std::shared_ptr<FrameTransfer>& transfer);
  std::uint64_t memory_limit(Priority priority) const;

  // frame_arrival.cc: bytes become frames
  bool verify_next();
  void rescue();
  void verify(const Flight& flight, std::string stored, OriginSet from, base::Monotonic asked);
  void arrived(State& state, const Flight& flight, FrameBytes bytes, FrameEffects& fx);
  void queue_store(State& state, const Flight& flight, FrameBytes bytes, FrameEffects& fx);
  void store_next();
  void stored(State& state, const Flight& flight, const Status& status, FrameEffects& fx);
  void shed_unstored(State& state, FrameEffects& fx);
  void no_worker();

  // frame_outcome.cc: how requests end
  void settle(State& state, const std::shared_ptr<FrameTransfer>& transfer, Status status,
              FrameEffects& fx);
  bool keep_partial(State& state, FrameFlight& flight, FrameTransfer& transfer);
  void drop_partial(State& state, FrameFlight& flight);
  void wrong_bytes(State& state, const Flight& flight, OriginSet from, FrameEffects& fx);
  void try_again(State& state, const Flight& flight, std::size_t origin, const Error& error,
                 FrameEffects& fx);
  void next_round(State& state, const Flight& flight, const Error& error, FrameEffects& fx);
  void fail(State& state, const Flight& flight, Error error, FrameEffects& fx);
  void complain(State& state, std::size_t origin, const catalog::FrameRef& frame,
                std::string_view what);
  void arm_tick(State& state, base::Monotonic when);
  void tick();
  std::chrono::milliseconds tick_interval() const;
  void watch(State& state, base::Monotonic now, FrameEffects& fx);
  bool is_late(State& state, const FrameTransfer& transfer, base::Monotonic now);
  void move_on(State& state, const std::shared_ptr<FrameTransfer>& transfer, const Error& why,
               base::Monotonic now, FrameEffects& fx);

  // constant
  const std::vector<std::shared_ptr<Source>> origins_;
  const FetchEnvironment env_;
  const FrameStoreOptions options_;
  // self-synchronised
  const std::shared_ptr<BufferPool> pool_;  ///< counts memory; has no buffers
  FrameMemory memory_;
  const FrameDisk disk_;
  const std::shared_ptr<FrameCounters> counters_ = std::make_shared<FrameCounters>();
  const std::shared_ptr<Occupancy> occupancy_ = std::make_shared<Occupancy>();
  std::atomic<std::uint64_t> allowance_;
  std::atomic<base::Monotonic::rep> last_progress_{0};   ///< of anything
  std::atomic<std::uint64_t> landed_{0};                 ///< flights that are over
  base::Locked<std::unique_ptr<base::Workers>> rescue_;  ///< made when it is needed
  // guarded
  base::Locked<State> state_;
};

}  // namespace lazyvol::fetch
