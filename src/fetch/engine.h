// The state machine behind a Fetcher: blocks in flight, requests, memory, retries.
//
// One lock guards all of it; it is held for bookkeeping only. Entry points change the state under
// the lock, collect Effects, perform them without the lock, and then pump(): start whatever may
// start now. Lock order: engine → timer; nothing else is taken inside.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
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
#include "fetch/effects.h"
#include "fetch/fetcher.h"
#include "fetch/request_queue.h"

namespace lazyvol::fetch {

class Engine : public std::enable_shared_from_this<Engine> {
 public:
  Engine(std::shared_ptr<Source> source, FetchEnvironment environment, FetchOptions options,
         std::function<void(const ContentRef&)> on_stale);

  // For the Fetcher.
  std::shared_ptr<Content> open(ContentRef ref);
  const FetchOptions& options() const { return options_; }
  FetchStats stats() const;
  void stop();

  // For contents.
  const std::shared_ptr<Counters>& counters() const { return counters_; }
  std::uint64_t readahead_allowance() const { return allowance_.load(std::memory_order_relaxed); }
  /// Answers the pieces that the caller did not find in the cache; `total` is the whole read's
  /// size.
  void read_missing(std::shared_ptr<ContentImpl> content, std::vector<Piece> missing,
                    std::size_t total, RequestContext ctx, Content::ReadDone done);
  void want(std::shared_ptr<WantOp> op);
  /// From the destructor of a content.
  void closed(ContentImpl& content);

  // For attempts, on the source's thread.
  const std::shared_ptr<Occupancy>& occupancy() const { return occupancy_; }
  Flow attempt_started(Attempt& attempt, const ReadStart& start);
  void received(Attempt& attempt, std::size_t bytes);
  /// Readies `attempt.buffer` for the block that comes next. False when nobody wants the rest.
  bool open_block(Attempt& attempt);
  void block_complete(Attempt& attempt);
  /// After a chunk of a whole-object stream: may it go on?
  Flow flow_of(Attempt& attempt);
  void attempt_done(std::shared_ptr<Attempt> attempt, Status status);

 private:
  struct State {
    std::unordered_map<model::ContentKey, std::weak_ptr<ContentImpl>> contents;
    RequestQueue queue;
    std::set<std::shared_ptr<Attempt>> active;
    std::vector<std::shared_ptr<Attempt>> starved;            ///< paused until memory is free
    std::deque<std::pair<ContentImpl*, std::uint64_t>> kept;  ///< arrived, not stored; oldest first
    std::uint64_t kept_bytes = 0;
    struct Unstored {
      ContentImpl* content = nullptr;
      std::uint64_t block = 0;
      base::Monotonic since{};
    };
    std::uint64_t partial_bytes = 0;             ///< held by requests that wait for another attempt
    std::map<std::uint64_t, Unstored> unstored;  ///< arrived, not yet stored; by arrival
    std::uint64_t next_arrival = 1;
    std::uint64_t next_age = 1;
    std::uint64_t stores = 0;       ///< on their way through env.disk
    base::TimerQueue::Id tick = 0;  ///< 0 = none armed
    base::Monotonic tick_at{};
    std::mt19937_64 rng{std::random_device{}()};
    std::optional<Error> last_error;  ///< of the source
    base::Monotonic quiet_until{};    ///< no further failure is logged before
    bool bypass = false;              ///< the cache refused the last block
    bool disk_stuck = false;          ///< nothing stored since blocks had to pass it by
    bool ranges_doubtful = false;     ///< the last answer ignored the range
    bool warned_whole = false;
    bool pumping = false, pump_again = false;
    bool stopping = false;
  };

  // engine.cc: effects
  void run(Effects& effects);
  void perform(Effects& effects);
  void resume(const std::shared_ptr<Attempt>& attempt);
  void store(std::shared_ptr<ContentImpl> content, std::uint64_t block);
  void stored(const std::shared_ptr<ContentImpl>& content, std::uint64_t block, Status status);
  void keep(State& state, ContentImpl& content, std::uint64_t block, const Error& why, Effects& fx);
  void shed_unstored(State& state, Effects& fx);
  void drop_kept(State& state, std::uint64_t bytes, Effects& fx);

  // engine_interest.cc: who wants what
  std::optional<Error> refusal(const State& state, ContentImpl& content) const;
  std::shared_ptr<PendingRead> join(State& state, const std::shared_ptr<ContentImpl>& content,
                                    const std::vector<Piece>& pieces, std::size_t total,
                                    const RequestContext& ctx, Content::ReadDone done, Effects& fx);
  void ask(State& state, const std::shared_ptr<ContentImpl>& content,
           const std::vector<std::uint64_t>& blocks, const RequestContext& ctx, Effects& fx);
  void raise(State& state, std::shared_ptr<Request> request, std::uint64_t block, Priority priority,
             Effects& fx);
  void wake(const Request& request, Effects& fx);
  std::shared_ptr<Request> split(State& state, const std::shared_ptr<Request>& request,
                                 std::uint64_t at);
  void advance(const std::shared_ptr<WantOp>& op);
  bool advance_some(State& state, const std::shared_ptr<WantOp>& op, Effects& fx);
  std::size_t want_limit() const;
  void finish_want(const std::shared_ptr<WantOp>& op, Status status, Effects& fx);
  void block_wants_done(Flight& flight, std::uint64_t block, const Status& status, Effects& fx);
  void cancel_want(const std::shared_ptr<WantOp>& op);
  void detach(ContentImpl& content, const std::shared_ptr<PendingRead>& read);
  void drop_interest(State& state, ContentImpl& content, std::uint64_t block, Effects& fx);
  void remove_block(State& state, const std::shared_ptr<Request>& request, std::uint64_t block,
                    Effects& fx);
  void abandon(State& state, const std::shared_ptr<Request>& request, Effects& fx);
  void detach_attempt(const std::shared_ptr<Request>& request, Effects& fx);

  // engine_admission.cc: what may start
  void pump();
  std::shared_ptr<Attempt> admit(State& state, Effects& fx);
  bool gate_lets(State& state, const std::shared_ptr<Request>& request);
  bool make_room(State& state, const std::shared_ptr<Request>& request, Effects& fx);
  void absorb_neighbours(State& state, const std::shared_ptr<Request>& request, Effects& fx);
  std::shared_ptr<Attempt> begin(State& state, const std::shared_ptr<Request>& request);
  void start(const std::shared_ptr<Attempt>& attempt);
  void feed_starved(State& state, Effects& fx);
  std::uint64_t memory_limit(Priority priority) const;
  std::uint64_t kept_capacity() const;
  std::uint64_t bytes_of(const Request& request) const;

  // engine_outcome.cc: how requests end
  void settle(State& state, Attempt& attempt, Status status, Effects& fx);
  void keep_partial(State& state, Request& request, Attempt& attempt, bool trusted);
  void drop_partial(State& state, Request& request, Effects& fx);
  void retry_or_fail(State& state, const std::shared_ptr<Request>& request, Error error,
                     Effects& fx);
  void fail_request(State& state, const std::shared_ptr<Request>& request, const Error& error,
                    Effects& fx);
  void fail_block(ContentImpl& content, std::uint64_t block, const Error& error, Effects& fx);
  void fail_waiting(State& state, ContentImpl& content, const Error& error, Effects& fx);
  void log_failure(State& state, const Request& request, const Error& error);
  void arm_tick(State& state, base::Monotonic when);
  void tick();
  std::chrono::milliseconds tick_interval() const;
  void watch(State& state, base::Monotonic now, Effects& fx);

  // engine_whole.cc: servers without ranges
  bool begin_whole(State& state, Attempt& attempt, Effects& fx);
  void hand_to_whole(const std::shared_ptr<Request>& request, Effects& fx);
  bool open_whole_block(Attempt& attempt, Effects& fx);
  void settle_whole(State& state, const std::shared_ptr<Request>& request, Attempt& attempt,
                    std::optional<Error> error, Effects& fx);
  bool stream_is_ahead(const State& state, ContentImpl& content) const;
  bool lost_blocks(const Request& request) const;
  void ask_again(State& state, const std::shared_ptr<Request>& request, Effects& fx);

  // constant
  const std::shared_ptr<Source> source_;
  const FetchEnvironment env_;
  const FetchOptions options_;
  const std::function<void(const ContentRef&)> on_stale_;
  const std::string display_;
  // self-synchronised
  const std::shared_ptr<BufferPool> pool_;
  const std::shared_ptr<Counters> counters_ = std::make_shared<Counters>();
  const std::shared_ptr<Occupancy> occupancy_ = std::make_shared<Occupancy>();
  std::atomic<std::uint64_t> allowance_;
  std::atomic<base::Monotonic::rep> last_progress_{0};  ///< of anything
  // guarded
  base::Locked<State> state_;
};

}  // namespace lazyvol::fetch
