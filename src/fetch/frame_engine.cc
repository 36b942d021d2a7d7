#include "fetch/frame_engine.h"

#include <algorithm>
#include <utility>

namespace lazyvol::fetch {
namespace {

FrameStoreOptions sane(FrameStoreOptions options) {
  options.max_requests = std::max(options.max_requests, 1U);
  options.max_request_bytes = std::max<std::uint64_t>(options.max_request_bytes, 1);
  return options;
}

/// The budget, with the least that anything can run in: the longest frame in both its forms.
std::uint64_t sane(std::uint64_t memory) {
  return std::max<std::uint64_t>(memory, 2ULL * catalog::kMaxFrameRaw);
}

std::vector<std::shared_ptr<Source>> first_of(std::vector<std::shared_ptr<Source>> origins) {
  if (origins.size() > kMaxOrigins) origins.resize(kMaxOrigins);
  return origins;
}

}  // namespace

FrameEngine::FrameEngine(std::vector<std::shared_ptr<Source>> origins, FetchEnvironment environment,
                         FrameStoreOptions options)
    : origins_(first_of(std::move(origins))),
      env_(std::move(environment)),
      options_(sane(options)),
      pool_(std::make_shared<BufferPool>(sane(env_.memory_bytes))),
      memory_(options_.page_memory, options_.data_memory),
      disk_(env_.cache),
      allowance_(memory_limit(Priority::readahead)),
      state_(std::in_place, origins_.size()) {}

/// Memory, then disk; what came from disk is in memory then.
FrameBytes FrameEngine::look(const FrameId& id) {
  if (FrameBytes bytes = memory_.find(id)) {
    Counters::add(counters_->memory_hits);
    return bytes;
  }
  FrameBytes bytes = disk_.read(id);
  if (bytes) {
    Counters::add(counters_->disk_hits);
    memory_.insert(id, bytes);
  }
  return bytes;
}

/// What has come and is on its way to the disk.
FrameBytes FrameEngine::arriving(const FramePlace& place) {
  auto state = state_.lock();
  const auto known = state->flights.find(place);
  return known == state->flights.end() ? nullptr : known->second->bytes;
}

void FrameEngine::get(const catalog::FrameRef& frame, FrameUse use, RequestContext ctx, Done done) {
  Activity busy(occupancy_);
  if (Status possible = catalog::check_frame_ref(frame); !possible.ok()) {
    return done(std::move(possible).error());
  }
  const FramePlace place{frame, kind_of(use)};
  Flight flight;
  FrameBytes bytes;
  std::shared_ptr<PendingFrame> pending;
  std::optional<Error> refused;
  FrameEffects fx;
  for (int round = 0; !pending && !bytes && !refused; ++round) {
    const std::uint64_t landed = landed_.load();
    bytes = look(place.id());
    if (bytes) return done(std::move(bytes));
    if (ctx.stop.stop_requested()) {
      refused = Error{Code::cancelled, "interrupted"};
      break;
    }
    auto state = state_.lock();
    const auto known = state->flights.find(place);
    if (known != state->flights.end()) {
      flight = known->second;
      join(*state, flight, use, ctx, fx);
      bytes = flight->bytes;
    } else if (bytes = memory_.find(place.id()); !bytes) {
      // What landed since may have been this one, and memory may have lost it: a second look.
      if (landed_.load() != landed && round == 0) continue;
      refused = refusal(*state, place);
      if (!refused) flight = take_off(*state, place, use, ctx);
    }
    if (flight && !bytes) {
      pending = std::make_shared<PendingFrame>(std::move(done), counters_);
      flight->waiters.push_back(pending);
    }
  }
  if (refused) {
    if (refused->code == Code::cancelled) Counters::add(counters_->cancelled);
    return done(*std::move(refused));
  }
  if (bytes) {
    Counters::add(counters_->memory_hits);
    return done(std::move(bytes));
  }
  arm(pending, flight, ctx.stop);
  run(fx);
}

FrameBytes FrameEngine::at_hand(const catalog::FrameRef& frame, FrameUse use) {
  if (!catalog::check_frame_ref(frame).ok()) return nullptr;
  const FramePlace place{frame, kind_of(use)};
  FrameBytes bytes = look(place.id());
  return bytes ? bytes : arriving(place);
}

bool FrameEngine::has(const catalog::FrameRef& frame, FrameUse use) const {
  if (!catalog::check_frame_ref(frame).ok()) return false;
  const FrameId id = FramePlace{frame, kind_of(use)}.id();
  return memory_.has(id) || disk_.has(id);
}

void FrameEngine::used_up(const catalog::FrameRef& frame, FrameUse use) {
  memory_.used_up(FramePlace{frame, kind_of(use)}.id());
}

std::uint64_t FrameEngine::evict(const catalog::FrameRef& frame, FrameUse use) {
  if (!catalog::check_frame_ref(frame).ok()) return 0;
  const FrameId id = FramePlace{frame, kind_of(use)}.id();
  memory_.erase(id);
  return disk_.evict(id);
}

FrameStats FrameEngine::stats() const {
  const auto get = [](const Counters::Value& v) { return v.load(std::memory_order_relaxed); };
  const FrameCounters& c = *counters_;
  FrameStats stats;
  stats.memory_hits = get(c.memory_hits);
  stats.disk_hits = get(c.disk_hits);
  stats.frames = get(c.frames);
  stats.pages = get(c.pages);
  stats.requests = get(c.requests);
  stats.bytes_fetched = get(c.bytes_fetched);
  stats.corrupt = get(c.corrupt);
  stats.missing_packs = get(c.missing_packs);
  stats.retries = get(c.retries);
  stats.failovers = get(c.failovers);
  stats.failures = get(c.failures);
  stats.cancelled = get(c.cancelled);
  stats.unstored = get(c.unstored);
  stats.peak_bytes = pool_->peak();
  stats.in_flight_requests = get(c.in_flight_requests);
  stats.in_flight_bytes = pool_->used();
  stats.waiting = get(c.waiting);
  return stats;
}

void FrameEngine::stop() {
  FrameEffects fx;
  {
    auto state = state_.lock();
    state->stopping = true;
    const Error cancelled{Code::cancelled, "the volume is being closed"};
    const auto active = state->active;
    for (const auto& transfer : active) {
      if (!transfer->detached) part(transfer, fx);
    }
    for (const Arrival& arrival : std::exchange(state->to_verify, {})) {
      state->verifying.erase(arrival.flight);
      arrival.flight->state = FrameFlight::State::idle;
    }
    std::vector<Flight> flights;
    for (const auto& [place, flight] : state->flights) flights.push_back(flight);
    for (const Flight& flight : flights) {
      // What has arrived, or is with a worker, is still stored, if it is to be kept.
      if (flight->state == FrameFlight::State::arrived) continue;
      give_up(flight, cancelled, fx);
      if (flight->state != FrameFlight::State::verifying) land(*state, flight, fx);
    }
    if (state->tick != 0) env_.timer.cancel(std::exchange(state->tick, 0));
  }
  perform(fx);
  occupancy_->wait([&] {
    auto state = state_.lock();
    return state->active.empty() && state->verifying.empty() && !state->storing;
  });
  if (const auto workers = std::move(*rescue_.lock())) workers->stop();
  memory_.clear();
}

void FrameEngine::run(FrameEffects& effects) {
  perform(effects);
  pump();
}

void FrameEngine::perform(FrameEffects& effects) {
  FrameEffects fx = std::exchange(effects, {});
  for (auto& [pending, result] : fx.answers) pending->answer(std::move(result));
  fx.answers.clear();
  if (fx.store && !env_.disk.submit([self = shared_from_this()] { self->store_next(); })) {
    no_worker();
  }
  if (fx.rescue) rescue();
  for (const auto& transfer : fx.stops) transfer->stop.request_stop();
  for (const auto& [transfer, priority] : fx.hurries) transfer->hurry(priority);
  for (auto& [want, status] : fx.wants_done) {
    if (auto done = std::exchange(want->done, nullptr)) done(std::move(status));
  }
  for (const auto& want : fx.advances) advance(want);
}

}  // namespace lazyvol::fetch
