#include "fetch/request_queue.h"

#include <tuple>

#include "fetch/content.h"

namespace lazyvol::fetch {

bool RequestQueue::Order::operator()(const std::shared_ptr<Request>& a,
                                     const std::shared_ptr<Request>& b) const {
  return std::tuple(a->priority, a->age, a->first, a.get()) <
         std::tuple(b->priority, b->age, b->first, b.get());
}

void RequestQueue::add(const std::shared_ptr<Request>& request) {
  request->state = Request::State::queued;
  ready_.insert(request);
  index(*request);
}

void RequestQueue::delay(const std::shared_ptr<Request>& request, base::Monotonic until) {
  request->state = Request::State::delayed;
  request->due = until;
  delayed_.emplace(until, request);
}

void RequestQueue::remove(const std::shared_ptr<Request>& request) {
  if (request->state == Request::State::queued) {
    unindex(*request);
    ready_.erase(request);
  } else if (request->state == Request::State::delayed) {
    std::erase_if(delayed_, [&](const auto& item) { return item.second == request; });
  } else {
    return;
  }
  request->state = Request::State::idle;
}

void RequestQueue::raise(const std::shared_ptr<Request>& request, Priority priority) {
  if (request->priority <= priority) return;
  const bool queued = request->state == Request::State::queued;
  if (queued) ready_.erase(request);
  request->priority = priority;
  if (queued) ready_.insert(request);
}

void RequestQueue::due(base::Monotonic now) {
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    auto request = std::move(delayed_.begin()->second);
    delayed_.erase(delayed_.begin());
    add(request);
  }
}

std::optional<base::Monotonic> RequestQueue::next_due() const {
  if (delayed_.empty()) return std::nullopt;
  return delayed_.begin()->first;
}

std::vector<std::shared_ptr<Request>> RequestQueue::clear() {
  std::vector<std::shared_ptr<Request>> all(ready_.begin(), ready_.end());
  for (const auto& [due, request] : delayed_) all.push_back(request);
  for (const auto& request : all) {
    unindex(*request);
    request->state = Request::State::idle;
  }
  ready_.clear();
  delayed_.clear();
  return all;
}

void RequestQueue::index(Request& request) {
  // What was begun or starts from byte 0 anyway cannot be appended to another request.
  if (!request.partial && !request.whole) {
    request.content->flights().queued[request.first] = &request;
  }
}

void RequestQueue::unindex(Request& request) {
  auto& queued = request.content->flights().queued;
  auto it = queued.find(request.first);
  if (it != queued.end() && it->second == &request) queued.erase(it);
}

}  // namespace lazyvol::fetch
