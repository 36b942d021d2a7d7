// What may start now: priority, then age, within the requests and the memory that are allowed.
#include <algorithm>
#include <bit>
#include <utility>

#include "catalog/pack.h"
#include "fetch/frame_engine.h"
#include "fetch/slots.h"

namespace lazyvol::fetch {
namespace {

using std::chrono::milliseconds;

/// An origin that failed before does not get long to show that it is back, while others are there.
constexpr milliseconds kProbePatience{1'000};
/// More ready frames than this for each request, and little is worth fetching ahead.
constexpr std::size_t kCrowded = 64;

const FrameFlight* most_urgent(const FrameTransfer& transfer) {
  const FrameFlight* urgent = transfer.frames.front().get();
  for (const auto& flight : transfer.frames) {
    if (flight->priority < urgent->priority) urgent = flight.get();
  }
  return urgent;
}

}  // namespace

/// What nobody waits for leaves room, so that a reader never queues behind it alone.
std::uint64_t FrameEngine::memory_limit(Priority priority) const {
  const std::uint64_t budget = pool_->budget();
  if (priority == Priority::reader) return budget;
  if (priority == Priority::hydrate) return budget / 2;  // else readahead would find none left
  return budget - std::min(budget / 4, options_.max_request_bytes);
}

/// Starts what may start. One thread does it at a time, and looks again after each thing it did: a
/// call meanwhile (also from inside, by a source that answers inline) leaves it to that one, so
/// that the stack stays flat.
void FrameEngine::pump() {
  {
    auto state = state_.lock();
    if (std::exchange(state->pumping, true)) return;
  }
  for (;;) {
    FrameEffects fx;
    std::shared_ptr<FrameTransfer> transfer;
    {
      auto state = state_.lock();
      if (!state->stopping) transfer = admit(*state, fx);
      const bool crowded = state->queue.ready().size() > kCrowded * options_.max_requests;
      const std::uint64_t allowed = state->stopping ? 0
                                    : state->bypass ? options_.data_memory / 2
                                                    : memory_limit(Priority::readahead);
      allowance_ = crowded ? std::min(allowed, options_.max_request_bytes) : allowed;
      if (!transfer && fx.empty()) {
        state->pumping = false;
        return;
      }
    }
    perform(fx);
    if (transfer) start(transfer);
  }
}

std::shared_ptr<FrameTransfer> FrameEngine::admit(State& state, FrameEffects& fx) {
  state.queue.due(base::system_clock().now());
  bool full = false;
  for (const auto& candidate : state.queue.ready()) {
    const Flight flight = candidate;  // begin() changes the queue
    if (state.active.size() >= slots_for(flight->priority, options_.max_requests)) break;
    std::uint64_t most_bytes = options_.max_request_bytes;
    if (!gate_lets(state, *flight, most_bytes)) break;  // nothing behind it is more urgent
    // What does not fit holds back those behind it, else small ones would starve it; but not those
    // that hold memory themselves, for a frame begun earlier.
    if (full && state.partial_bytes == 0) break;
    if (full && flight->reserved == 0) continue;
    if (make_room(state, *flight, fx)) return begin(state, flight, most_bytes);
    full = true;
  }
  return nullptr;
}

/// Whether a request for a frame may start beside those of readers, and how long it may be.
bool FrameEngine::gate_lets(State& state, const FrameFlight& flight, std::uint64_t& most_bytes) {
  if (!env_.gate || flight.priority != Priority::hydrate) return true;
  const auto allowed = env_.gate->allowance(
      base::system_clock().now(), slots_for(Priority::hydrate, options_.max_requests), most_bytes);
  most_bytes = allowed.most_bytes;
  if (!allowed.start) arm_tick(state, allowed.again);
  return allowed.start;
}

/// Reserves the memory for a frame. On false the reason is memory, and whoever frees some pumps
/// again. A frame that is longer than what its priority may use may have it all for itself.
bool FrameEngine::make_room(State& state, FrameFlight& flight, FrameEffects& fx) {
  if (flight.reserved > 0) return true;
  const std::uint64_t cost = flight.cost();
  if (pool_->reserve(cost, std::max(memory_limit(flight.priority), cost))) {
    flight.reserved = cost;
    return true;
  }
  if (flight.priority == Priority::reader) shed_unstored(state, fx);
  return false;
}

/// Makes the request for a frame and for what lies beside it.
std::shared_ptr<FrameTransfer> FrameEngine::begin(State& state, const Flight& first,
                                                  std::uint64_t most_bytes) {
  const auto now = base::system_clock().now();
  // What has no origin left to try is never in the queue.
  const OriginRanks::Choice choice = state.ranks.choose(first->tried, now).value();
  const milliseconds allowed = patience(state, *first, choice, now);
  std::vector<Flight> frames = with_neighbours(state, first, choice.origin, most_bytes);
  if (!first->partial.empty()) state.partial_bytes -= first->reserved;
  auto transfer = std::make_shared<FrameTransfer>(shared_from_this(), choice, std::move(frames));
  transfer->patience = allowed;
  for (const Flight& flight : transfer->frames) {
    state.queue.remove(flight);
    flight->state = FrameFlight::State::moving;
    flight->transfer = transfer;
    if (flight->progress == base::Monotonic{}) flight->progress = now;
  }
  if (env_.gate) transfer->token = env_.gate->enter(most_urgent(*transfer)->priority, now);
  state.active.insert(transfer);
  if (choice.probe) state.ranks.probing(choice.origin);
  Counters::add(counters_->requests);
  Counters::add(counters_->in_flight_requests);
  if (origins_.size() > 1) {
    state.hedges.request();
    arm_tick(state, now + std::min(tick_interval(), TransferPace::kLeastPatience));
  } else {
    arm_tick(state, now + tick_interval());
  }
  return transfer;
}

/// `first` and the ready frames beside it in its pack that one request can bring: those that follow
/// in any case, for they cost it no time; those before it only when they are as urgent.
std::vector<FrameEngine::Flight> FrameEngine::with_neighbours(State& state, const Flight& first,
                                                              std::size_t origin,
                                                              std::uint64_t most) {
  const catalog::Digest& pack = first->place.ref.pack;
  std::uint64_t begin = first->begin(), end = first->end();
  std::vector<Flight> later{first}, earlier;
  while (const Flight next = state.queue.at_or_after(pack, end)) {
    const bool near = next->begin() - end <= options_.max_gap && next->end() - begin <= most;
    if (!near || !comes_along(*next, origin)) break;
    end = next->end();
    later.push_back(next);
  }
  // A beginning that is there already must be where the request begins.
  while (const Flight before = first->partial.empty() ? state.queue.before(pack, begin) : nullptr) {
    const bool near = before->end() <= begin && begin - before->end() <= options_.max_gap &&
                      end - before->begin() <= most;
    if (!near || before->priority != first->priority || !comes_along(*before, origin)) break;
    begin = before->begin();
    earlier.push_back(before);
  }
  later.insert(later.begin(), earlier.rbegin(), earlier.rend());
  return later;
}

/// Whether a frame can be part of another's request to that origin; its memory is reserved then.
bool FrameEngine::comes_along(FrameFlight& flight, std::size_t origin) {
  if (!flight.partial.empty() || (flight.tried >> origin & 1) != 0) return false;
  if (!pool_->reserve(flight.cost(), memory_limit(flight.priority))) return false;
  flight.reserved = flight.cost();
  return true;
}

/// How long a request may go without a byte: what is left of the deadline, shared with the origins
/// that are to be tried after it.
milliseconds FrameEngine::patience(const State& state, const FrameFlight& flight,
                                   OriginRanks::Choice choice, base::Monotonic now) const {
  const auto spent = flight.progress == base::Monotonic{}
                         ? milliseconds(0)
                         : std::chrono::duration_cast<milliseconds>(now - flight.progress);
  const milliseconds left = std::max(options_.io_timeout - spent, milliseconds(1));
  const int untried = std::popcount(state.ranks.all() & ~flight.tried);
  const milliseconds share = std::max(left / std::max(untried, 1), milliseconds(1));
  return choice.probe ? std::min(share, kProbePatience) : share;
}

void FrameEngine::start(const std::shared_ptr<FrameTransfer>& transfer) {
  RequestContext ctx;
  {
    auto state = state_.lock();
    const FrameFlight* urgent = most_urgent(*transfer);
    ctx.priority = urgent->priority;
    ctx.cause = urgent->cause;
    ctx.pid = urgent->pid;
  }
  ctx.no_progress = transfer->patience;
  ctx.stop = transfer->stop.get_token();
  const catalog::Digest& pack = transfer->frames.front()->place.ref.pack;
  const Priority priority = ctx.priority;
  auto reading = origins_[transfer->choice.origin]->read(
      {catalog::pack_path(pack), {}, transfer->offset, transfer->end - transfer->offset}, transfer,
      std::move(ctx));
  Priority now = priority;
  {
    auto state = state_.lock();
    if (transfer->ended) return;  // answered inline
    transfer->transfer = reading;
    now = most_urgent(*transfer)->priority;
  }
  if (now < priority && reading) reading->hurry(now);
}

}  // namespace lazyvol::fetch
