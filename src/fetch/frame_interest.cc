// Who wants which frame: gets and wants join flights, and leave them.
#include <algorithm>
#include <utility>

#include "fetch/frame_engine.h"

namespace lazyvol::fetch {
namespace {

/// Frames that a want() has in flight at most, and looks at per hold of the lock.
constexpr std::size_t kWantFrames = 4096;
constexpr std::size_t kStepsPerLock = 256;

}  // namespace

std::optional<Error> FrameEngine::refusal(State& state, const FramePlace& place) {
  if (state.stopping) return Error{Code::cancelled, "the volume is being closed"};
  const auto failed = state.failed.find(place);
  if (failed == state.failed.end()) return std::nullopt;
  if (base::system_clock().now() < failed->second.until) return failed->second.error;
  state.failed.erase(failed);
  return std::nullopt;
}

/// A new flight, in the queue.
FrameEngine::Flight FrameEngine::take_off(State& state, const FramePlace& place, FrameUse use,
                                          const RequestContext& ctx) {
  const auto now = base::system_clock().now();
  auto flight = std::make_shared<FrameFlight>(place);
  flight->keep = is_kept(use);
  flight->priority = ctx.priority;
  flight->age = state.next_age++;
  flight->cause = ctx.cause;
  flight->pid = ctx.pid;
  flight->created = now;
  state.flights.emplace(place, flight);
  state.queue.add(flight);
  arm_tick(state, now + tick_interval());
  return flight;
}

void FrameEngine::join(State& state, const Flight& flight, FrameUse use, const RequestContext& ctx,
                       FrameEffects& fx) {
  if (ctx.priority < flight->priority && flight->transfer && flight->transfer->transfer) {
    fx.hurries.emplace_back(flight->transfer->transfer, ctx.priority);
  }
  flight->keep = flight->keep || is_kept(use);
  state.queue.raise(flight, ctx.priority);
}

/// Lets the get() leave when its caller says so. After the flight and the waiter know each other.
void FrameEngine::arm(const std::shared_ptr<PendingFrame>& pending, const Flight& flight,
                      const std::stop_token& stop) {
  pending->arm(stop, [engine = weak_from_this(), weak = std::weak_ptr<PendingFrame>(pending),
                      flying = std::weak_ptr<FrameFlight>(flight)] {
    const auto self = engine.lock();
    const auto waiting = weak.lock();
    if (!self || !waiting) return;
    Activity inside(self->occupancy_);
    FrameEffects fx;
    if (const auto joined = flying.lock()) {
      auto state = self->state_.lock();
      if (std::erase(joined->waiters, waiting) > 0) self->drop_interest(*state, joined, fx);
      fx.garbage.push_back(joined);
    }
    waiting->answer(Error{Code::cancelled, "interrupted"});
    self->run(fx);
  });
}

void FrameEngine::want(std::vector<catalog::FrameRef> frames, FrameUse use, RequestContext ctx,
                       std::function<void(Status)> done) {
  Activity busy(occupancy_);
  auto want = std::make_shared<FrameWant>();
  want->frames = std::move(frames);
  want->use = use;
  want->context = std::move(ctx);
  want->done = std::move(done);
  if (want->context.stop.stop_possible()) {
    want->on_stop.emplace(want->context.stop,
                          [engine = weak_from_this(), weak = std::weak_ptr<FrameWant>(want)] {
                            const auto self = engine.lock();
                            const auto waiting = weak.lock();
                            if (!self || !waiting) return;
                            Activity inside(self->occupancy_);
                            self->cancel_want(waiting);
                          });
  }
  advance(want);
}

/// Looks at further frames of a want, as many as it may have in flight. One thread does it at a
/// time; a call meanwhile makes that thread look again.
void FrameEngine::advance(const std::shared_ptr<FrameWant>& want) {
  FrameEffects fx;
  {
    auto state = state_.lock();
    want->advance_again = want->advancing;
    if (std::exchange(want->advancing, true)) return;
  }
  while (look_further(want, fx)) {
  }
  run(fx);
}

/// One stretch of it: what is at hand is found out first, without the lock.
bool FrameEngine::look_further(const std::shared_ptr<FrameWant>& want, FrameEffects& fx) {
  std::size_t begin = 0, end = 0;
  {
    auto state = state_.lock();
    want->advance_again = false;
    begin = want->next;
    end = std::min(want->frames.size(), begin + kStepsPerLock);
    if (want->finished || !has_room(*want)) end = begin;
  }
  std::vector<AtHand> known(end - begin);
  for (std::size_t i = begin; i < end; ++i) known[i - begin] = find_out(*want, want->frames[i]);

  auto state = state_.lock();
  for (std::size_t i = begin; i < end && !want->error && has_room(*want); ++i) {
    if (want->finished) break;
    want->next = i + 1;
    wait_for(*state, want, want->frames[i], known[i - begin], fx);
  }
  if (want->error) want->next = want->frames.size();
  if (!want->finished && want->next == want->frames.size() && want->joined.empty()) {
    finish_want(want, want->error ? Status(*want->error) : Status(), fx);
  }
  const bool more = !want->finished && want->next < want->frames.size() && has_room(*want);
  if (!more && !want->advance_again) want->advancing = false;
  return want->advancing;
}

FrameEngine::AtHand FrameEngine::find_out(const FrameWant& want, const catalog::FrameRef& frame) {
  AtHand known;
  if (!catalog::check_frame_ref(frame).ok()) return known;
  const FrameId id = FramePlace{frame, kind_of(want.use)}.id();
  const bool keep = is_kept(want.use);
  if (!keep && memory_.has(id)) {
    known.enough = true;
  } else if (disk_.has(id)) {
    known.enough = true;
  } else if (keep) {
    known.bytes = memory_.find(id);  // to be stored
  }
  return known;
}

/// Makes the want wait for one frame, if it is not at hand. Sets its error when there is no point
/// in going on.
void FrameEngine::wait_for(State& state, const std::shared_ptr<FrameWant>& want,
                           const catalog::FrameRef& frame, const AtHand& known, FrameEffects& fx) {
  if (known.enough) return;
  if (Status possible = catalog::check_frame_ref(frame); !possible.ok()) {
    want->error = std::move(possible).error();
    return;
  }
  const FramePlace place{frame, kind_of(want->use)};
  Flight flight;
  if (const auto found = state.flights.find(place); found != state.flights.end()) {
    flight = found->second;
    join(state, flight, want->use, want->context, fx);
  } else if (FrameBytes bytes = known.bytes ? known.bytes : memory_.find(place.id())) {
    if (!is_kept(want->use) || state.stopping) return;  // it came meanwhile
    flight = std::make_shared<FrameFlight>(place);      // in memory, and not on the disk yet
    flight->keep = true;
    state.flights.emplace(place, flight);
    queue_store(state, flight, std::move(bytes), fx);
  } else {
    want->error = refusal(state, place);
    if (want->error) return;
    flight = take_off(state, place, want->use, want->context);
  }
  if (want->joined.insert(flight).second) {
    flight->wants.push_back(want);
    want->joined_bytes += frame.stored;
  }
}

/// A want of everything must not fill the queue with millions of frames; but there must be enough
/// of them to make long requests. `share`: 1 for all of that, 2 for half.
bool FrameEngine::has_room(const FrameWant& want, unsigned share) const {
  const std::uint64_t most = options_.max_request_bytes * std::max(options_.max_requests, 4U);
  return want.joined.size() < kWantFrames / share && want.joined_bytes < most / share;
}

void FrameEngine::finish_want(const std::shared_ptr<FrameWant>& want, Status status,
                              FrameEffects& fx) {
  want->finished = true;
  want->next = want->frames.size();
  fx.wants_done.emplace_back(want, std::move(status));
}

/// Tells the wants of a flight that it is over.
void FrameEngine::wants_done(const Flight& flight, const Status& status, FrameEffects& fx) {
  for (auto& want : std::exchange(flight->wants, {})) {
    if (!want->finished && want->joined.erase(flight) > 0) {
      want->joined_bytes -= flight->place.ref.stored;
      if (!status.ok() && !want->error) {
        want->error = status.error();
        want->next = want->frames.size();  // what fails once will fail again
      }
      if (want->next < want->frames.size()) {
        if (has_room(*want, 2)) fx.advances.push_back(want);
      } else if (want->joined.empty() && !want->advancing) {
        finish_want(want, want->error ? Status(*want->error) : Status(), fx);
      }
    }
    fx.garbage.push_back(std::move(want));
  }
}

void FrameEngine::cancel_want(const std::shared_ptr<FrameWant>& want) {
  FrameEffects fx;
  {
    auto state = state_.lock();
    if (want->finished) return;
    for (const Flight& flight : std::exchange(want->joined, {})) {
      std::erase(flight->wants, want);
      drop_interest(*state, flight, fx);
      fx.garbage.push_back(flight);
    }
    want->joined_bytes = 0;
    finish_want(want, Error{Code::cancelled, "nobody wants it any more"}, fx);
  }
  run(fx);
}

/// Called when somebody left a flight. One that nobody needs any more is taken back: out of the
/// queue at once; on its way when nobody needs the rest of its request either, else its bytes are
/// paid for and it goes on.
void FrameEngine::drop_interest(State& state, const Flight& flight, FrameEffects& fx) {
  if (flight->wanted()) return;
  if (flight->state == FrameFlight::State::queued || flight->state == FrameFlight::State::delayed) {
    return land(state, flight, fx);
  }
  if (flight->state == FrameFlight::State::moving) abandon_unwanted(state, flight->transfer, fx);
}

/// Ends a request none of whose frames is wanted any more.
void FrameEngine::abandon_unwanted(State& state, std::shared_ptr<FrameTransfer> transfer,
                                   FrameEffects& fx) {
  bool any = false;
  for (const Flight& flight : transfer->frames) {
    if (flight->transfer != transfer) continue;
    if (flight->wanted()) return;
    any = true;
  }
  if (!any) return;
  for (const Flight& flight : part(transfer, fx)) land(state, flight, fx);
}

/// Parts a request from the frames that it has not brought yet, whose bytes go nowhere. It keeps
/// its slot, and their memory, until the source has answered.
std::vector<FrameEngine::Flight> FrameEngine::part(const std::shared_ptr<FrameTransfer>& transfer,
                                                   FrameEffects& fx) {
  std::vector<Flight> left;
  for (const Flight& flight : transfer->frames) {
    if (flight->transfer != transfer) continue;
    flight->transfer = nullptr;
    flight->state = FrameFlight::State::idle;
    transfer->held += std::exchange(flight->reserved, 0);
    left.push_back(flight);
  }
  transfer->detached.store(true, std::memory_order_release);
  fx.stops.push_back(transfer);
  return left;
}

/// Answers those who wait for a flight with an error.
void FrameEngine::give_up(const Flight& flight, const Error& error, FrameEffects& fx) {
  for (auto& waiter : std::exchange(flight->waiters, {})) {
    fx.answers.emplace_back(std::move(waiter), error);
  }
  wants_done(flight, error, fx);
}

/// The flight is over, one way or the other.
void FrameEngine::land(State& state, const Flight& flight, FrameEffects& fx) {
  state.queue.remove(flight);
  drop_partial(state, *flight);
  pool_->release(std::exchange(flight->reserved, 0));
  fx.garbage.push_back(flight);
  state.flights.erase(flight->place);
  landed_.fetch_add(1);
}

}  // namespace lazyvol::fetch
