// What may start now: priority, then age, within the requests and the memory that are allowed.
#include <algorithm>
#include <utility>

#include "fetch/engine.h"
#include "fetch/slots.h"

namespace lazyvol::fetch {
namespace {

/// Arrived blocks that the cache would not take live on in this share of the budget, and no more
/// than this many bytes: enough for the kernel's several requests into one block, and for
/// readahead.
constexpr std::uint64_t kKeptShare = 4;
constexpr std::uint64_t kKeptMost = 32ULL << 20;

}  // namespace

/// What nobody waits for leaves room, so that a reader never queues behind it alone.
std::uint64_t Engine::memory_limit(Priority priority) const {
  const std::uint64_t budget = pool_->budget();
  if (priority == Priority::reader) return budget;
  if (priority == Priority::hydrate) return budget / 2;  // else readahead would find none left
  return budget - std::min(budget / 4, options_.max_request_bytes);
}

std::uint64_t Engine::kept_capacity() const {
  return std::min(pool_->budget() / kKeptShare, kKeptMost);
}

/// Memory that the request needs to run to its end.
std::uint64_t Engine::bytes_of(const Request& request) const {
  const model::BlockLayout& layout = request.content->layout();
  if (request.whole) return std::min<std::uint64_t>(2 * model::kBlockSize, layout.size);
  const std::uint64_t begin = request.first + (request.partial ? 1 : 0);
  if (begin >= request.end) return 0;
  return std::min(layout.offset_of(request.end), layout.size) - layout.offset_of(begin);
}

/// Starts what may start, and gives freed memory to paused streams. One thread does it at a time; a
/// call meanwhile (also from inside, by a source that answers inline) makes that thread look again,
/// so that the stack stays flat.
void Engine::pump() {
  {
    auto state = state_.lock();
    if (state->pumping) {
      state->pump_again = true;
      return;
    }
    state->pumping = true;
  }
  for (;;) {
    Effects fx;
    std::shared_ptr<Attempt> attempt;
    {
      auto state = state_.lock();
      state->pump_again = false;
      if (!state->stopping) {
        attempt = admit(*state, fx);
        feed_starved(*state, fx);
      }
      const bool crowded = state->queue.ready().size() > 4 * std::size_t{options_.max_requests};
      const std::uint64_t allowed = state->stopping ? 0
                                    : state->bypass ? kept_capacity() / 2
                                                    : memory_limit(Priority::readahead);
      allowance_ = crowded ? std::min(allowed, options_.max_request_bytes) : allowed;
      if (!attempt && fx.empty()) {
        state->pumping = false;
        return;
      }
    }
    perform(fx);
    if (attempt) start(attempt);
  }
}

std::shared_ptr<Attempt> Engine::admit(State& state, Effects& fx) {
  state.queue.due(base::system_clock().now());
  bool full = false;
  for (const auto& candidate : state.queue.ready()) {
    const auto request = candidate;  // make_room() may change the queue
    if (state.active.size() >= slots_for(request->priority, options_.max_requests)) break;
    if (!gate_lets(state, request)) break;  // nothing behind it is more urgent
    // A server without ranges would answer each of several requests with the whole object.
    if (state.ranges_doubtful && request->content->flights().active > 0) continue;
    // What does not fit holds back those behind it, else small ones would starve it; but not those
    // that hold memory themselves, for a block begun earlier.
    if (full && !request->partial) continue;
    if (make_room(state, request, fx)) return begin(state, request);
    full = true;
  }
  return nullptr;
}

/// Whether a request may start beside those of readers; what is to be short is made so.
bool Engine::gate_lets(State& state, const std::shared_ptr<Request>& request) {
  if (!env_.gate || request->priority != Priority::hydrate) return true;
  const auto allowed = env_.gate->allowance(base::system_clock().now(),
                                            slots_for(Priority::hydrate, options_.max_requests),
                                            options_.max_request_bytes);
  if (!allowed.start) {
    arm_tick(state, allowed.again);
    return false;
  }
  const std::uint64_t blocks = std::max<std::uint64_t>(1, allowed.most_bytes / model::kBlockSize);
  if (!request->whole && request->end - request->first > blocks) {
    split(state, request, request->first + blocks);
  }
  return true;
}

/// Reserves the memory for a request; of a reader's, at least for its beginning (the rest goes back
/// to the queue). What was begun can always be finished: its buffer is there. On false the reason
/// is memory, and whoever frees some pumps again.
bool Engine::make_room(State& state, const std::shared_ptr<Request>& request, Effects& fx) {
  if (!request->whole) absorb_neighbours(state, request, fx);
  const std::uint64_t limit = memory_limit(request->priority);
  std::uint64_t need = bytes_of(*request);
  if (pool_->reserve(need, limit)) {
    request->reserved = need;
    return true;
  }
  if (request->partial) {
    if (request->end - request->first > 1) split(state, request, request->first + 1);
    return true;
  }
  const bool reader = request->priority == Priority::reader;
  if (reader) shed_unstored(state, fx);
  if (reader && !state.kept.empty()) {
    drop_kept(state, need, fx);  // counts as free once it is: the pump comes round again
    return false;
  }
  // A reader takes what there is; others wait for all they need, unless that can never be had.
  if (request->whole || (!reader && need <= limit)) return false;
  const std::uint64_t room = reader ? limit - std::min(limit, pool_->used()) : limit;
  const std::uint64_t fitting = room / model::kBlockSize;
  if (fitting == 0) return false;
  const std::uint64_t cut = request->first + fitting;
  if (cut < request->end) need = fitting * model::kBlockSize;
  if (!pool_->reserve(need, limit)) return false;
  if (cut < request->end) split(state, request, cut);
  request->reserved = need;
  return true;
}

/// Takes the queued requests that follow right behind into this one.
void Engine::absorb_neighbours(State& state, const std::shared_ptr<Request>& request, Effects& fx) {
  auto& queued = request->content->flights().queued;
  const std::uint64_t most = options_.max_request_bytes / model::kBlockSize;
  for (;;) {
    auto it = queued.find(request->end);
    if (it == queued.end()) return;
    Request* next = it->second;
    if (next->priority != request->priority || next->end - request->first > most) return;
    const std::uint64_t begin = next->first;
    auto absorbed = request->content->flights().find(begin)->request;
    state.queue.remove(absorbed);
    for (std::uint64_t block = begin; block < absorbed->end; ++block) {
      request->content->flights().find(block)->request = request;
    }
    request->end = absorbed->end;
    fx.garbage.push_back(std::move(absorbed));
  }
}

std::shared_ptr<Attempt> Engine::begin(State& state, const std::shared_ptr<Request>& request) {
  const auto now = base::system_clock().now();
  const model::BlockLayout& layout = request->content->layout();
  state.queue.remove(request);
  request->state = Request::State::active;
  if (request->progress == base::Monotonic{}) request->progress = now;

  if (request->whole) request->first = 0;
  const std::uint64_t offset = layout.offset_of(request->first) + request->partial_length;
  const std::uint64_t end = std::min(layout.offset_of(request->end), layout.size);
  auto attempt = std::make_shared<Attempt>(shared_from_this(), request, offset, end - offset);
  attempt->block = request->first;
  if (request->partial) {
    state.partial_bytes -= request->partial->bytes().size();
    attempt->open = true;
    attempt->buffer = std::exchange(request->partial, nullptr);
    attempt->filled = std::exchange(request->partial_length, 0);
    attempt->block_length = layout.length_of(request->first);
  }
  request->attempt = attempt;
  if (env_.gate) attempt->token = env_.gate->enter(request->priority, now);
  state.active.insert(attempt);
  ++request->content->flights().active;
  Counters::add(counters_->requests);
  Counters::add(counters_->in_flight_requests);
  arm_tick(state, now + tick_interval());
  return attempt;
}

void Engine::start(const std::shared_ptr<Attempt>& attempt) {
  const Request& request = *attempt->request;
  RequestContext ctx;
  {
    auto state = state_.lock();
    ctx.priority = request.priority;
    ctx.cause = request.cause;
    ctx.pid = request.pid;
    const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(
        base::system_clock().now() - request.progress);
    ctx.no_progress = std::max(options_.io_timeout - spent, std::chrono::milliseconds(1));
    ctx.stop = attempt->stop.get_token();
  }
  const ContentRef& ref = request.content->ref();
  const Priority priority = ctx.priority;
  auto transfer =
      source_->read(ReadRequest{ref.path, ref.validator, attempt->offset, attempt->length}, attempt,
                    std::move(ctx));
  bool resume_now = false;
  std::optional<Priority> more_urgent;
  {
    auto state = state_.lock();
    if (attempt->ended) return;  // answered inline
    attempt->transfer = transfer;
    resume_now = std::exchange(attempt->resume_early, false);
    if (request.priority < priority) more_urgent = request.priority;
  }
  if (resume_now && transfer) transfer->resume();
  if (more_urgent && transfer) transfer->hurry(*more_urgent);
}

void Engine::feed_starved(State& state, Effects& fx) {
  while (!state.starved.empty()) {
    auto& attempt = state.starved.back();
    if (!attempt->detached) {
      if (!pool_->reserve(model::kBlockSize, pool_->budget())) {
        return drop_kept(state, model::kBlockSize, fx);  // comes round again, if there was any
      }
      attempt->request->reserved += model::kBlockSize;
      attempt->paused = false;
      attempt->touch(base::system_clock().now());
      fx.resumes.push_back(attempt);
    }
    fx.garbage.push_back(std::move(attempt));
    state.starved.pop_back();
  }
}

}  // namespace lazyvol::fetch
