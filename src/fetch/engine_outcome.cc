// How requests end: complete, again, or with an error for those who wait.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "fetch/engine.h"
#include "net/retry.h"

namespace lazyvol::fetch {
namespace {

using std::chrono::milliseconds;

/// A failure is remembered this long, so that a reader's next hundred requests do not knock again.
constexpr milliseconds kFailedFor{1'000};
/// One line about failing requests per volume and this long; the counter has them all.
constexpr milliseconds kLogQuiet{10'000};

milliseconds since(base::Monotonic from, base::Monotonic now) {
  return std::chrono::duration_cast<milliseconds>(now - from);
}

}  // namespace

void Engine::attempt_done(std::shared_ptr<Attempt> attempt, Status status) {
  Activity busy(occupancy_);
  Effects fx;
  {
    auto state = state_.lock();
    state->active.erase(attempt);
    attempt->ended = true;
    attempt->token.reset();
    fx.garbage.push_back(std::exchange(attempt->transfer, nullptr));
    std::erase(state->starved, attempt);
    --attempt->request->content->flights().active;
    Counters::sub(counters_->in_flight_requests);
    if (!attempt->detached) settle(*state, *attempt, std::move(status), fx);
  }
  attempt->buffer.reset();
  attempt.reset();
  run(fx);
}

void Engine::settle(State& state, Attempt& attempt, Status status, Effects& fx) {
  const std::shared_ptr<Request> request = attempt.request;
  fx.garbage.push_back(request);
  fx.garbage.push_back(std::exchange(request->attempt, nullptr));
  request->state = Request::State::idle;
  pool_->release(std::exchange(request->reserved, 0));

  std::optional<Error> error;
  if (attempt.refusal) {
    error = attempt.refusal;
  } else if (!status.ok()) {
    error = std::move(status).error();
    // Nobody here cancelled it: to its readers that is a failure of the source.
    if (error->code == Code::cancelled) error->code = Code::io_error;
  } else if (attempt.promised > 0 || attempt.received == 0) {
    error = Error{Code::io_error, "the answer ended early"};
  }
  if (request->whole) return settle_whole(state, request, attempt, std::move(error), fx);
  if (request->first == request->end) return;
  if (request->content->flights().whole) return hand_to_whole(request, fx);
  if (lost_blocks(*request)) return ask_again(state, request, fx);

  const bool trusted = !attempt.refusal && !(error && error->code == Code::corrupt);
  const bool advanced = attempt.block * model::kBlockSize > attempt.offset;
  if (advanced || (trusted && attempt.received > 0)) {
    request->retries = 0;
    request->progress = attempt.last_byte();
  }
  keep_partial(state, *request, attempt, trusted);
  if (!error) return state.queue.add(request);  // the source gave less than was asked for
  retry_or_fail(state, request, *std::move(error), fx);
}

/// The next attempt goes on within the block where this one broke off; unless what such beginnings
/// hold is much of the memory already, which others need to get anywhere.
void Engine::keep_partial(State& state, Request& request, Attempt& attempt, bool trusted) {
  if (!trusted || !attempt.open || attempt.filled == 0) return;
  const std::uint64_t bytes = attempt.buffer->bytes().size();
  if (state.partial_bytes + bytes > pool_->budget() / 4) return;
  state.partial_bytes += bytes;
  request.partial = std::exchange(attempt.buffer, nullptr);
  request.partial_length = attempt.filled;
}

void Engine::drop_partial(State& state, Request& request, Effects& fx) {
  if (!request.partial) return;
  state.partial_bytes -= request.partial->bytes().size();
  fx.garbage.push_back(std::exchange(request.partial, nullptr));
  request.partial_length = 0;
}

void Engine::retry_or_fail(State& state, const std::shared_ptr<Request>& request, Error error,
                           Effects& fx) {
  ContentImpl& content = *request->content;
  const auto now = base::system_clock().now();
  if (error.code == Code::not_found || error.code == Code::stale) {
    const Error stale{Code::stale, "this version is gone at the origin"};
    if (content.mark_stale()) {
      Counters::add(counters_->stale);
      fx.stale.push_back(request->content);
    }
    fail_request(state, request, stale, fx);
    return fail_waiting(state, content, stale, fx);
  }
  if (error.code == Code::access_denied) {
    fail_request(state, request, error, fx);
    return fail_waiting(state, content, error, fx);
  }
  state.last_error = error;
  const net::RetryPolicy policy{.max_retries = options_.io_retries,
                                .first_delay = options_.first_retry_delay,
                                .deadline = options_.io_timeout};
  const double random = std::uniform_real_distribution<double>(0.0, 1.0)(state.rng);
  const auto delay =
      net::next_retry(policy, error, request->retries, since(request->progress, now), random);
  if (!delay) return fail_request(state, request, error, fx);
  ++request->retries;
  Counters::add(counters_->retries);
  base::log_debug("{}: {}: {}; again in {} ms", display_, content.ref().path, error.message,
                  delay->count());
  state.queue.delay(request, now + *delay);
  arm_tick(state, now + *delay);
}

void Engine::fail_request(State& state, const std::shared_ptr<Request>& request, const Error& error,
                          Effects& fx) {
  ContentImpl& content = *request->content;
  ContentFlights& flights = content.flights();
  Counters::add(counters_->failures);
  log_failure(state, *request, error);
  flights.failed = error;
  flights.failed_until = base::system_clock().now() + kFailedFor;
  state.queue.remove(request);
  request->state = Request::State::idle;
  fx.garbage.push_back(request);
  drop_partial(state, *request, fx);
  std::vector<std::uint64_t> failed;
  for (const auto& [block, flight] : flights.blocks) {
    if (flight.request == request || (request->whole && flight.parked())) failed.push_back(block);
  }
  for (const std::uint64_t block : failed) fail_block(content, block, error, fx);
  if (flights.whole == request) flights.whole.reset();
}

void Engine::fail_block(ContentImpl& content, std::uint64_t block, const Error& error,
                        Effects& fx) {
  auto& blocks = content.flights().blocks;
  auto it = blocks.find(block);
  Flight& flight = it->second;
  const auto self = content.shared_from_this();
  for (const auto& waiter : flight.waiters) fx.failures.push_back({self, waiter.read, error});
  block_wants_done(flight, block, error, fx);
  fx.flights.push_back(std::move(flight));
  blocks.erase(it);
}

/// Fails what waits for its turn: it would meet the same answer.
void Engine::fail_waiting(State& state, ContentImpl& content, const Error& error, Effects& fx) {
  std::set<std::shared_ptr<Request>> waiting;
  for (const auto& [block, flight] : content.flights().blocks) {
    if (flight.request && flight.request->state != Request::State::active) {
      waiting.insert(flight.request);
    }
  }
  for (const auto& request : waiting) fail_request(state, request, error, fx);
}

void Engine::log_failure(State& state, const Request& request, const Error& error) {
  const auto now = base::system_clock().now();
  if (now < state.quiet_until) return;
  state.quiet_until = now + kLogQuiet;
  base::log_warn("{}: cannot read {}: {}", display_, request.content->ref().path, error.message);
}

/// Makes sure that tick() comes at `when` or earlier.
void Engine::arm_tick(State& state, base::Monotonic when) {
  if (state.stopping || (state.tick != 0 && state.tick_at <= when)) return;
  if (state.tick != 0) env_.timer.cancel(state.tick);
  const auto wait = std::chrono::ceil<milliseconds>(when - base::system_clock().now());
  state.tick_at = when;
  state.tick = env_.timer.after(std::max(wait, milliseconds(0)), [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->tick();
  });
}

milliseconds Engine::tick_interval() const {
  return std::clamp(options_.io_timeout / 8, milliseconds(5), milliseconds(1'000));
}

void Engine::tick() {
  Activity busy(occupancy_);
  Effects fx;
  {
    auto state = state_.lock();
    if (state->stopping) return;
    const auto now = base::system_clock().now();
    state->tick = 0;
    watch(*state, now, fx);
    if (!state->active.empty() || !state->queue.empty()) {
      const auto interval = tick_interval();
      arm_tick(*state, std::min(now + interval, state->queue.next_due().value_or(now + interval)));
    }
  }
  run(fx);
}

/// The last resort for a source that does not keep to its deadline, and for those who wait behind
/// it: whoever had no progress for io_timeout and a quarter gets an error.
void Engine::watch(State& state, base::Monotonic now, Effects& fx) {
  const auto patience = options_.io_timeout + std::max(options_.io_timeout / 4, milliseconds(50));
  const Error timed_out{Code::timed_out,
                        "no progress for " + std::to_string(options_.io_timeout.count()) + " ms"};
  std::vector<std::shared_ptr<Request>> late, idle;
  base::Monotonic any(base::Monotonic::duration(last_progress_.load()));
  for (const auto& attempt : state.active) {
    any = std::max(any, attempt->last_byte());
    if (attempt->detached || now - attempt->last_byte() <= patience) continue;
    if (attempt->awaits_reader) {
      idle.push_back(attempt->request);  // no reader came back to it
    } else if (!attempt->paused) {
      late.push_back(attempt->request);
    }
  }
  for (const auto& request : idle) abandon(state, request, fx);
  for (const auto& request : late) detach_attempt(request, fx);

  // In the queue nobody is late while others advance.
  for (const auto& request : state.queue.ready()) {
    if (now - std::max(request->created, any) > patience) late.push_back(request);
  }
  for (const auto& request : late) {
    fail_request(state, request, state.last_error.value_or(timed_out), fx);
  }
}

}  // namespace lazyvol::fetch
