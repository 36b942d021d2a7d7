#include "fetch/frame_queue.h"

#include <tuple>

namespace lazyvol::fetch {

bool FrameQueue::Order::operator()(const std::shared_ptr<FrameFlight>& a,
                                   const std::shared_ptr<FrameFlight>& b) const {
  return std::tuple(a->priority, a->age, a.get()) < std::tuple(b->priority, b->age, b.get());
}

void FrameQueue::add(const std::shared_ptr<FrameFlight>& flight) {
  flight->state = FrameFlight::State::queued;
  ready_.insert(flight);
  places_.emplace(Place(flight->place.ref.pack, flight->begin()), flight);
}

void FrameQueue::delay(const std::shared_ptr<FrameFlight>& flight, base::Monotonic until) {
  flight->state = FrameFlight::State::delayed;
  flight->due = until;
  delayed_.emplace(until, flight);
}

void FrameQueue::remove(const std::shared_ptr<FrameFlight>& flight) {
  const auto erase_from = [&](auto& index, const auto& key) {
    auto [at, end] = index.equal_range(key);
    while (at != end && at->second != flight) ++at;
    if (at != end) index.erase(at);
  };
  if (flight->state == FrameFlight::State::queued) {
    ready_.erase(flight);
    erase_from(places_, Place(flight->place.ref.pack, flight->begin()));
  } else if (flight->state == FrameFlight::State::delayed) {
    erase_from(delayed_, flight->due);
  } else {
    return;
  }
  flight->state = FrameFlight::State::idle;
}

void FrameQueue::raise(const std::shared_ptr<FrameFlight>& flight, Priority priority) {
  if (flight->priority <= priority) return;
  const bool queued = flight->state == FrameFlight::State::queued;
  if (queued) ready_.erase(flight);
  flight->priority = priority;
  if (queued) ready_.insert(flight);
}

void FrameQueue::due(base::Monotonic now) {
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    const auto flight = delayed_.begin()->second;
    delayed_.erase(delayed_.begin());
    add(flight);
  }
}

std::optional<base::Monotonic> FrameQueue::next_due() const {
  if (delayed_.empty()) return std::nullopt;
  return delayed_.begin()->first;
}

std::shared_ptr<FrameFlight> FrameQueue::at_or_after(const catalog::Digest& pack,
                                                     std::uint64_t offset) const {
  const auto at = places_.lower_bound(Place(pack, offset));
  return at != places_.end() && at->first.first == pack ? at->second : nullptr;
}

std::shared_ptr<FrameFlight> FrameQueue::before(const catalog::Digest& pack,
                                                std::uint64_t offset) const {
  auto at = places_.lower_bound(Place(pack, offset));
  if (at == places_.begin()) return nullptr;
  --at;
  return at->first.first == pack ? at->second : nullptr;
}

}  // namespace lazyvol::fetch
