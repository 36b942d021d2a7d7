#include "net/request_queue.h"

#include <algorithm>

namespace lazyvol::net {

using base::Monotonic;

std::uint32_t connection_share(Priority priority, std::uint32_t limit) {
  std::uint32_t kept_free = 0;
  switch (priority) {
    case Priority::reader:
    case Priority::metadata:
      break;
    case Priority::readahead:
      kept_free = std::max(1U, limit / 8);
      break;
    case Priority::sibling:
    case Priority::hydrate:
      kept_free = std::max(1U, limit / 4);
      break;
  }
  return limit > kept_free ? limit - kept_free : 1;
}

std::uint32_t RequestQueue::Host::connections() const {
  return exclusive_active + (http2 ? std::min(shareable_active, 1U) : shareable_active);
}

bool RequestQueue::Host::idle() const {
  return exclusive.empty() && shareable.empty() && exclusive_active == 0 && shareable_active == 0;
}

RequestQueue::RequestQueue(std::uint32_t per_host, std::uint32_t total,
                           std::uint32_t first_per_host)
    : per_host_{std::min(first_per_host, per_host), per_host}, total_(std::max(1U, total)) {}

RequestQueue::Host& RequestQueue::host(const Origin& origin) {
  return hosts_.try_emplace(origin, per_host_).first->second;
}

/// Applies `change` to `host` and keeps the sum of connections right.
template <class Change>
void RequestQueue::change(Host& host, Change change) {
  connections_ -= host.connections();
  change(host);
  connections_ += host.connections();
}

void RequestQueue::push(std::unique_ptr<PendingRequest> request) {
  const Key key{request->request.context.priority, request->id};
  where_.emplace(request->id, std::pair(request->target.origin, key));
  Host& host = this->host(request->target.origin);
  (request->shareable ? host.shareable : host.exclusive).emplace(key, std::move(request));
}

bool RequestQueue::admits(const Host& host, const PendingRequest& request) const {
  const Priority priority = request.request.context.priority;
  if (request.shareable && host.http2) {
    if (host.shareable_active >= connection_share(priority, kStreamsPerHost)) return false;
    if (host.shareable_active > 0) return true;  // needs no further connection
  }
  return host.connections() < connection_share(priority, host.concurrency.limit()) &&
         connections_ < connection_share(priority, total_);
}

std::unique_ptr<PendingRequest> RequestQueue::pop() {
  Host* best_host = nullptr;
  Waiting* best = nullptr;
  for (auto& [origin, host] : hosts_) {
    for (Waiting* waiting : {&host.exclusive, &host.shareable}) {
      if (waiting->empty() || !admits(host, *waiting->begin()->second)) continue;
      if (best == nullptr || waiting->begin()->first < best->begin()->first) {
        best = waiting;
        best_host = &host;
      }
    }
  }
  if (best == nullptr) return nullptr;
  auto request = std::move(best->begin()->second);
  best->erase(best->begin());
  where_.erase(request->id);
  change(*best_host, [&](Host& host) {
    ++(request->shareable ? host.shareable_active : host.exclusive_active);
  });
  ++under_way_;
  return request;
}

void RequestQueue::release(const PendingRequest& request) {
  change(host(request.target.origin), [&](Host& host) {
    --(request.shareable ? host.shareable_active : host.exclusive_active);
  });
  --under_way_;
  forget_idle_hosts();
}

std::unique_ptr<PendingRequest> RequestQueue::remove(std::uint64_t id) {
  const auto where = where_.find(id);
  if (where == where_.end()) return nullptr;
  const auto& [origin, key] = where->second;
  Host& host = this->host(origin);
  std::unique_ptr<PendingRequest> request;
  for (Waiting* waiting : {&host.exclusive, &host.shareable}) {
    if (auto it = waiting->find(key); it != waiting->end()) {
      request = std::move(it->second);
      waiting->erase(it);
    }
  }
  where_.erase(where);
  return request;
}

void RequestQueue::note_http2(const Origin& origin, bool http2) {
  if (auto it = hosts_.find(origin); it != hosts_.end() && it->second.http2 != http2) {
    change(it->second, [&](Host& host) { host.http2 = http2; });
  }
}

void RequestQueue::note_progress(const Origin& origin, Monotonic when) {
  last_progress_ = std::max(last_progress_, when);
  if (auto it = hosts_.find(origin); it != hosts_.end()) {
    it->second.last_progress = std::max(it->second.last_progress, when);
  }
}

void RequestQueue::note_outcome(const Origin& origin, Concurrency::Outcome outcome) {
  Host& host = this->host(origin);
  outcome.others_wait = !host.exclusive.empty() || !host.shareable.empty();
  host.concurrency.finished(outcome);
}

std::uint32_t RequestQueue::widest() const {
  std::uint32_t most = 0;
  for (const auto& [origin, host] : hosts_) most = std::max(most, host.concurrency.limit());
  return most;
}

Monotonic RequestQueue::last_progress(const Origin& origin) const {
  const auto it = hosts_.find(origin);
  return it == hosts_.end() ? Monotonic{} : it->second.last_progress;
}

Monotonic RequestQueue::expiry(const Host& host, const PendingRequest& request) const {
  const bool own_under_way = host.exclusive_active + host.shareable_active > 0;
  const Monotonic since = own_under_way ? host.last_progress : last_progress_;
  return no_progress_deadline(std::max(since, request.queued_at), request.request.context);
}

std::vector<std::unique_ptr<PendingRequest>> RequestQueue::take_expired(Monotonic now) {
  std::vector<std::unique_ptr<PendingRequest>> expired;
  for (auto& [origin, host] : hosts_) {
    for (Waiting* waiting : {&host.exclusive, &host.shareable}) {
      for (auto it = waiting->begin(); it != waiting->end();) {
        if (expiry(host, *it->second) > now) {
          ++it;
          continue;
        }
        where_.erase(it->second->id);
        expired.push_back(std::move(it->second));
        it = waiting->erase(it);
      }
    }
  }
  return expired;
}

Monotonic RequestQueue::next_expiry() const {
  Monotonic next = Monotonic::max();
  for (const auto& [origin, host] : hosts_) {
    for (const Waiting* waiting : {&host.exclusive, &host.shareable}) {
      for (const auto& [key, request] : *waiting) next = std::min(next, expiry(host, *request));
    }
  }
  return next;
}

std::vector<std::unique_ptr<PendingRequest>> RequestQueue::take_all() {
  std::vector<std::unique_ptr<PendingRequest>> all;
  for (auto& [origin, host] : hosts_) {
    for (Waiting* waiting : {&host.exclusive, &host.shareable}) {
      for (auto& [key, request] : *waiting) all.push_back(std::move(request));
      waiting->clear();
    }
  }
  where_.clear();
  return all;
}

/// What is known of a server is worth keeping, within reason.
void RequestQueue::forget_idle_hosts() {
  constexpr std::size_t kMaxHosts = 256;
  if (hosts_.size() <= kMaxHosts) return;
  std::erase_if(hosts_, [](const auto& entry) { return entry.second.idle(); });
}

}  // namespace lazyvol::net
