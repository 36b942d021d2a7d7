// Bytes become frames: verified and decompressed by a worker, handed over, then stored.
#include <chrono>
#include <utility>

#include "catalog/pack.h"
#include "catalog/validate_page.h"
#include "fetch/frame_engine.h"

namespace lazyvol::fetch {
namespace {

/// What the publisher put into a frame whose hash is right. Errors: corrupt, out_of_memory.
Result<std::string> open_frame(const FramePlace& place, std::string stored) {
  LAZYVOL_TRY_ASSIGN(std::string raw, catalog::unpack_frame(place.ref, std::move(stored)));
  if (place.kind == FrameKind::page) LAZYVOL_TRY(catalog::validate_page(raw));
  if (place.kind == FrameKind::map) LAZYVOL_TRY(catalog::validate_file_map(raw));
  return raw;
}

}  // namespace

void FrameEngine::received(std::size_t bytes) {
  last_progress_.store(base::system_clock().now().time_since_epoch().count(),
                       std::memory_order_relaxed);
  Counters::add(counters_->bytes_fetched, bytes);
}

void FrameEngine::frame_complete(FrameTransfer& transfer, std::size_t index, std::string bytes,
                                 OriginSet from) {
  Activity busy(occupancy_);
  FrameEffects fx;
  const Flight& flight = transfer.frames[index];
  {
    auto state = state_.lock();
    if (transfer.detached || flight->transfer.get() != &transfer) return;
    fx.garbage.push_back(std::exchange(flight->transfer, nullptr));
    flight->state = FrameFlight::State::verifying;
    flight->since = base::system_clock().now();
    state->verifying.insert(flight);
    state->to_verify.push_back({flight, std::move(bytes), from, transfer.begun});
    abandon_unwanted(*state, transfer.shared_from_this(), fx);
  }
  if (!env_.disk.submit([self = shared_from_this()] { self->verify_next(); })) {
    auto state = state_.lock();
    for (const Arrival& arrival : std::exchange(state->to_verify, {})) {
      state->verifying.erase(arrival.flight);
      fail(*state, arrival.flight, Error{Code::cancelled, "no worker takes the frame"}, fx);
    }
  }
  run(fx);
}

/// Verifies the frame that waits longest. False when there is none.
bool FrameEngine::verify_next() {
  Activity busy(occupancy_);
  std::optional<Arrival> arrival;
  {
    auto state = state_.lock();
    if (state->to_verify.empty()) return false;
    arrival = std::move(state->to_verify.front());
    state->to_verify.pop_front();
  }
  verify(arrival->flight, std::move(arrival->stored), arrival->from, arrival->asked);
  return true;
}

/// When the disk's workers take nothing, for they hang with it: a thread of our own does what needs
/// no disk.
void FrameEngine::rescue() {
  auto workers = rescue_.lock();
  if (!*workers) *workers = std::make_unique<base::Workers>("lv-frames", 1);
  (*workers)->submit([self = shared_from_this()] {
    while (self->verify_next()) {
    }
  });
}

/// On a worker: nothing is decompressed before its hash was compared.
void FrameEngine::verify(const Flight& flight, std::string stored, OriginSet from,
                         base::Monotonic asked) {
  const FramePlace& place = flight->place;
  FrameBytes bytes;
  std::optional<Error> senseless;
  const bool right = catalog::is_frame(place.ref, stored);
  if (right) {
    auto raw = open_frame(place, std::move(stored));
    if (raw.ok()) {
      bytes = std::make_shared<const std::string>(*std::move(raw));
      // Before the flight ends: whoever finds no flight finds it here.
      memory_.insert(place.id(), bytes);
    } else {
      senseless = std::move(raw).error();
    }
  }
  stored = {};
  FrameEffects fx;
  {
    auto state = state_.lock();
    const auto now = base::system_clock().now();
    last_progress_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    state->verifying.erase(flight);
    for (std::size_t i = 0; right && i < origins_.size(); ++i) {
      if ((from >> i & 1) != 0) state->ranks.succeeded(i, asked, now);
    }
    if (bytes) {
      arrived(*state, flight, std::move(bytes), fx);
    } else if (senseless) {
      // Its publisher made it so: every origin has the same.
      Counters::add(counters_->corrupt);
      senseless->message = catalog::pack_path(place.ref.pack) + ": " + senseless->message;
      fail(*state, flight, *std::move(senseless), fx);
    } else {
      wrong_bytes(*state, flight, from, fx);
    }
  }
  run(fx);
}

void FrameEngine::arrived(State& state, const Flight& flight, FrameBytes bytes, FrameEffects& fx) {
  Counters::add(counters_->frames);
  if (flight->place.kind != FrameKind::data) Counters::add(counters_->pages);
  for (auto& waiter : std::exchange(flight->waiters, {})) {
    fx.answers.emplace_back(std::move(waiter), bytes);
  }
  if (flight->keep) return queue_store(state, flight, std::move(bytes), fx);
  wants_done(flight, Status(), fx);
  land(state, flight, fx);
}

/// Lets a worker store the frame, after the answers. One at a time: were the disk to hang, it would
/// hold one worker and not all of them, which others wait for to have their frames verified.
void FrameEngine::queue_store(State& state, const Flight& flight, FrameBytes bytes,
                              FrameEffects& fx) {
  const std::uint64_t raw = bytes->size();
  if (flight->reserved > raw) {
    pool_->release(flight->reserved - raw);  // what it took as it was stored
    flight->reserved = raw;
  }
  flight->bytes = std::move(bytes);
  flight->state = FrameFlight::State::arrived;
  flight->since = base::system_clock().now();
  state.unstored.push_back(flight);
  if (!std::exchange(state.storing, true)) fx.store = true;
}

void FrameEngine::store_next() {
  Activity busy(occupancy_);
  Flight flight;
  {
    auto state = state_.lock();
    if (state->unstored.empty()) {
      state->storing = false;
      return;
    }
    flight = std::move(state->unstored.front());
    state->unstored.pop_front();
  }
  const FrameId id = flight->place.id();
  const Status status = disk_.has(id) ? Status() : disk_.store(id, *flight->bytes);
  FrameEffects fx;
  {
    auto state = state_.lock();
    last_progress_.store(base::system_clock().now().time_since_epoch().count(),
                         std::memory_order_relaxed);
    state->bypass = !status.ok();
    if (status.ok()) state->disk_stuck = false;
    stored(*state, flight, status, fx);
    state->storing = fx.store = !state->unstored.empty();
  }
  flight.reset();
  run(fx);
}

void FrameEngine::stored(State& state, const Flight& flight, const Status& status,
                         FrameEffects& fx) {
  if (!status.ok()) Counters::add(counters_->unstored);
  wants_done(flight, status, fx);
  land(state, flight, fx);
}

/// Readers wait for memory that a slow disk holds: what it has not begun to store within a moment
/// goes past the cache; and, until it has stored something again, whatever else comes.
void FrameEngine::shed_unstored(State& state, FrameEffects& fx) {
  const auto now = base::system_clock().now();
  const auto before = state.disk_stuck ? now : now - kSlowDiskForFrames;
  while (!state.unstored.empty() && state.unstored.front()->since < before) {
    const Flight flight = std::move(state.unstored.front());
    state.unstored.pop_front();
    state.disk_stuck = state.bypass = true;
    stored(state, flight, Error{Code::no_space, "the cache disk is too slow"}, fx);
  }
}

/// The pool has ended: nothing will be stored.
void FrameEngine::no_worker() {
  FrameEffects fx;
  {
    auto state = state_.lock();
    state->storing = false;
    for (const Flight& flight : std::exchange(state->unstored, {})) {
      stored(*state, flight, Error{Code::cancelled, "no worker takes the frame"}, fx);
    }
  }
  perform(fx);
}

}  // namespace lazyvol::fetch
