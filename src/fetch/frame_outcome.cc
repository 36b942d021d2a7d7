// How requests for frames end: complete, at another origin, again, or with an error for those who
// wait.
#include <algorithm>
#include <bit>
#include <utility>

#include "base/log.h"
#include "catalog/pack.h"
#include "fetch/frame_engine.h"
#include "net/retry.h"

namespace lazyvol::fetch {
namespace {

using std::chrono::milliseconds;

/// An origin is asked this often for a frame that it sends wrong.
constexpr int kWrongTries = 3;
/// A failure is remembered this long, and so many of them.
constexpr milliseconds kFailedFor{1'000};
constexpr std::size_t kMaxFailed = 1024;
/// How often late requests are looked for, where there is somebody else to ask.
constexpr milliseconds kLookForLate{100};
/// One line about trouble per store and this long; the counters have it all.
constexpr milliseconds kLogQuiet{10'000};

milliseconds since(base::Monotonic from, base::Monotonic now) {
  return std::chrono::duration_cast<milliseconds>(now - from);
}

/// Of several origins' errors the one that says most to those who wait.
int weight(Code code) {
  if (code == Code::corrupt) return 3;
  if (is_transient(code)) return 2;
  return code == Code::not_found ? 0 : 1;
}

/// What FrameStore::get() may answer with.
bool is_answer(Code code) {
  return is_transient(code) || code == Code::access_denied || code == Code::cancelled ||
         code == Code::out_of_memory;
}

milliseconds with_grace(milliseconds patience) {
  return patience + std::max(patience / 4, milliseconds(50));
}

}  // namespace

void FrameEngine::transfer_done(std::shared_ptr<FrameTransfer> transfer, Status status) {
  Activity busy(occupancy_);
  FrameEffects fx;
  {
    auto state = state_.lock();
    state->active.erase(transfer);
    transfer->token.reset();
    transfer->ended = true;
    fx.garbage.push_back(std::exchange(transfer->transfer, nullptr));
    if (transfer->choice.probe) state->ranks.probed(transfer->choice.origin);
    Counters::sub(counters_->in_flight_requests);
    if (status.ok() && !transfer->detached) {
      state->pace.note(transfer->received, base::system_clock().now() - transfer->begun);
    }
    if (!transfer->detached) settle(*state, transfer, std::move(status), fx);
    transfer->current = {};
    pool_->release(std::exchange(transfer->held, 0));
  }
  transfer.reset();
  run(fx);
}

/// What the request has not brought is asked for elsewhere, or again.
void FrameEngine::settle(State& state, const std::shared_ptr<FrameTransfer>& transfer,
                         Status status, FrameEffects& fx) {
  const auto now = base::system_clock().now();
  const std::size_t origin = transfer->choice.origin;
  std::vector<Flight> left;
  for (const Flight& flight : transfer->frames) {
    if (flight->transfer == transfer) left.push_back(flight);
  }
  if (left.empty()) return;

  Error error{Code::corrupt, "the pack ends too early"};
  if (transfer->refusal) {
    error = *transfer->refusal;
  } else if (!status.ok()) {
    // 416 is how HTTP says that there are no such bytes; any version of a pack is the one.
    if (status.error().code != Code::stale) error = std::move(status).error();
    // Nobody here cancelled it: to those who wait that is a failure of the origin.
    if (error.code == Code::cancelled) error.code = Code::io_error;
  } else if (transfer->total_size >= transfer->end) {
    error = Error{Code::io_error, "the answer ended early"};
  }
  // A connection that breaks says little about its origin; silence says much.
  const bool broke_off =
      transfer->received > 0 && error.code != Code::corrupt && is_transient(error.code);
  if (!broke_off || error.code == Code::timed_out) {
    state.ranks.failed(origin, now, error.retry_after);
  }
  if (error.code == Code::not_found) Counters::add(counters_->missing_packs);
  if (error.code == Code::corrupt) Counters::add(counters_->corrupt);
  if (error.code == Code::not_found || error.code == Code::corrupt) {
    complain(state, origin, left.front()->place.ref, error.message);
  }

  const bool kept = broke_off && keep_partial(state, *left.front(), *transfer);
  for (const Flight& flight : left) {
    fx.garbage.push_back(std::exchange(flight->transfer, nullptr));
    flight->state = FrameFlight::State::idle;
    if (flight->partial.empty()) pool_->release(std::exchange(flight->reserved, 0));
    if (kept || transfer->next > 0) {
      flight->retries = 0;
      flight->progress = transfer->last_byte();
    }
    try_again(state, flight, origin, error, fx);
  }
}

/// The next attempt goes on within the frame where this one broke off; unless what such beginnings
/// hold is much of the memory already, which others need to get anywhere. True when it got further.
bool FrameEngine::keep_partial(State& state, FrameFlight& flight, FrameTransfer& transfer) {
  if (flight.whole_only || transfer.frames[transfer.next].get() != &flight) return false;
  const std::uint64_t before = transfer.offset - std::min(transfer.offset, flight.begin());
  if (transfer.current.empty() || state.partial_bytes + flight.reserved > pool_->budget() / 4) {
    return false;
  }
  state.partial_bytes += flight.reserved;
  flight.partial = std::exchange(transfer.current, {});
  flight.partial_from = transfer.current_from;
  return flight.partial.size() > before;
}

void FrameEngine::drop_partial(State& state, FrameFlight& flight) {
  if (flight.partial.empty()) return;
  state.partial_bytes -= flight.reserved;
  pool_->release(std::exchange(flight.reserved, 0));
  flight.partial = {};
  flight.partial_from = 0;
}

/// A frame came whole and is not what its hash says.
void FrameEngine::wrong_bytes(State& state, const Flight& flight, OriginSet from,
                              FrameEffects& fx) {
  Counters::add(counters_->corrupt);
  pool_->release(std::exchange(flight->reserved, 0));
  flight->state = FrameFlight::State::idle;
  if (!std::has_single_bit(from)) {
    // Several have a part in it; which one lied shows when each sends all of it.
    flight->whole_only = true;
    if (flight->wanted() && !state.stopping) return state.queue.add(flight);
    return land(state, flight, fx);
  }
  const auto origin = static_cast<std::size_t>(std::countr_zero(from));
  state.ranks.failed(origin, base::system_clock().now());
  const Error error{Code::corrupt, "a frame that does not match its hash"};
  complain(state, origin, flight->place.ref, error.message);
  try_again(state, flight, origin, error, fx);
}

/// An origin did not give the frame: to the next one at once, or to the next round.
void FrameEngine::try_again(State& state, const Flight& flight, std::size_t origin,
                            const Error& error, FrameEffects& fx) {
  if (!flight->wanted() || state.stopping) return land(state, flight, fx);
  const OriginSet bit = OriginSet{1} << origin;
  flight->tried |= bit;
  if (!flight->error || weight(error.code) >= weight(flight->error->code)) flight->error = error;
  const bool hopeless = error.code == Code::corrupt ? ++flight->wrong[origin] >= kWrongTries
                                                    : !is_transient(error.code);
  if (hopeless) flight->hopeless |= bit;
  if (flight->tried == state.ranks.all()) return next_round(state, flight, error, fx);
  Counters::add(counters_->failovers);
  base::log_debug("{}: {}: {}; another origin is asked", origins_[origin]->traits().display,
                  catalog::pack_path(flight->place.ref.pack), error.message);
  state.queue.add(flight);
}

/// All origins were asked: again after a while, but for those of which nothing is to be hoped.
void FrameEngine::next_round(State& state, const Flight& flight, const Error& error,
                             FrameEffects& fx) {
  const auto now = base::system_clock().now();
  std::optional<milliseconds> delay;
  if (flight->hopeless != state.ranks.all()) {
    const net::RetryPolicy policy{.max_retries = options_.io_retries,
                                  .deadline = options_.io_timeout};
    const double random = std::uniform_real_distribution<double>(0.0, 1.0)(state.rng);
    const Error transient = is_transient(error.code) ? error : Error{Code::io_error, ""};
    delay =
        net::next_retry(policy, transient, flight->retries, since(flight->progress, now), random);
  }
  if (!delay) return fail(state, flight, *flight->error, fx);
  ++flight->retries;
  Counters::add(counters_->retries);
  flight->tried = flight->hopeless;
  state.queue.delay(flight, now + *delay);
  arm_tick(state, now + *delay);
}

void FrameEngine::fail(State& state, const Flight& flight, Error error, FrameEffects& fx) {
  const auto now = base::system_clock().now();
  if (error.code == Code::not_found) {
    // The frame exists, or no signed head would lead to it.
    error = Error{Code::io_error, "no origin has " + catalog::pack_path(flight->place.ref.pack)};
  } else if (!is_answer(error.code)) {
    error.code = Code::io_error;  // what may be said of a file at an origin, and not of a frame
  }
  if (error.code != Code::cancelled) {
    Counters::add(counters_->failures);
    if (now >= state.quiet_until) {
      state.quiet_until = now + kLogQuiet;
      base::log_warn("{}: cannot get a frame: {}", origins_.front()->traits().display,
                     error.message);
    }
    if (state.failed.size() >= kMaxFailed) {
      std::erase_if(state.failed, [&](const auto& f) { return f.second.until <= now; });
    }
    if (state.failed.size() < kMaxFailed) {
      state.failed.insert_or_assign(flight->place, Failure{error, now + kFailedFor});
    }
  }
  give_up(flight, error, fx);
  land(state, flight, fx);
}

/// One line about an origin that has not what it should have, now and then.
void FrameEngine::complain(State& state, std::size_t origin, const catalog::FrameRef& frame,
                           std::string_view what) {
  const auto now = base::system_clock().now();
  if (now < state.quiet_until) return;
  state.quiet_until = now + kLogQuiet;
  base::log_warn("{}: {}, bytes {} to {}: {}", origins_[origin]->traits().display,
                 catalog::pack_path(frame.pack), frame.offset,
                 std::uint64_t{frame.offset} + frame.stored, what);
}

/// Makes sure that tick() comes at `when` or earlier.
void FrameEngine::arm_tick(State& state, base::Monotonic when) {
  if (state.stopping || (state.tick != 0 && state.tick_at <= when)) return;
  if (state.tick != 0) env_.timer.cancel(state.tick);
  const auto wait = std::chrono::ceil<milliseconds>(when - base::system_clock().now());
  state.tick_at = when;
  state.tick = env_.timer.after(std::max(wait, milliseconds(0)), [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->tick();
  });
}

milliseconds FrameEngine::tick_interval() const {
  return std::clamp(options_.io_timeout / 8, milliseconds(5), milliseconds(1'000));
}

void FrameEngine::tick() {
  Activity busy(occupancy_);
  FrameEffects fx;
  {
    auto state = state_.lock();
    if (state->stopping) return;
    const auto now = base::system_clock().now();
    state->tick = 0;
    watch(*state, now, fx);
    if (!state->active.empty() || !state->queue.empty() || !state->verifying.empty()) {
      const auto interval =
          origins_.size() > 1 ? std::min(tick_interval(), kLookForLate) : tick_interval();
      arm_tick(*state, std::min(now + interval, state->queue.next_due().value_or(now + interval)));
    }
  }
  run(fx);
}

/// Whether a request takes so long that another origin should be asked. Only its first origin can
/// be late: where all are slow, that is how it is.
bool FrameEngine::is_late(State& state, const FrameTransfer& transfer, base::Monotonic now) {
  if (!state.ranks.has_alternative(transfer.choice.origin)) return false;
  const auto patience = state.pace.patience(transfer.end - transfer.offset);
  if (now - transfer.begun < patience) return false;
  const bool first = std::all_of(transfer.frames.begin(), transfer.frames.end(),
                                 [](const Flight& flight) { return flight->tried == 0; });
  return first && state.hedges.take();
}

/// Lets go of a request: what it has not brought is asked for elsewhere.
void FrameEngine::move_on(State& state, const std::shared_ptr<FrameTransfer>& transfer,
                          const Error& why, base::Monotonic now, FrameEffects& fx) {
  const std::size_t origin = transfer->choice.origin;
  state.ranks.failed(origin, now);
  for (const Flight& flight : part(transfer, fx)) try_again(state, flight, origin, why, fx);
}

/// The last resort for a source that does not keep to its deadline, for workers that hang with a
/// disk, and for those who wait behind them.
void FrameEngine::watch(State& state, base::Monotonic now, FrameEffects& fx) {
  const Error timed_out{Code::timed_out,
                        "no progress for " + std::to_string(options_.io_timeout.count()) + " ms"};
  std::vector<std::shared_ptr<FrameTransfer>> idle, late;
  for (const auto& transfer : state.active) {
    if (transfer->detached) continue;
    if (now - transfer->last_byte() > with_grace(transfer->patience)) {
      idle.push_back(transfer);
    } else if (is_late(state, *transfer, now)) {
      late.push_back(transfer);
    }
  }
  for (const auto& transfer : idle) move_on(state, transfer, timed_out, now, fx);
  const Error slow{Code::timed_out, "it takes much longer than usual"};
  for (const auto& transfer : late) move_on(state, transfer, slow, now, fx);
  fx.rescue =
      !state.to_verify.empty() && now - state.to_verify.front().flight->since > kSlowDiskForFrames;
  const milliseconds patience = with_grace(options_.io_timeout);
  for (const Flight& flight : state.verifying) {
    if (now - flight->since > patience) give_up(flight, timed_out, fx);
  }
  // In the queue nobody is late while others advance.
  const base::Monotonic any(base::Monotonic::duration(last_progress_.load()));
  std::vector<Flight> stuck;
  for (const Flight& flight : state.queue.ready()) {
    if (now - std::max(flight->created, any) > patience) stuck.push_back(flight);
  }
  for (const Flight& flight : stuck) {
    fail(state, flight, flight->error.value_or(timed_out), fx);
  }
}

}  // namespace lazyvol::fetch
