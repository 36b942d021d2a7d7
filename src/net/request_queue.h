// Who goes next: requests that wait for a connection, and what is in use.
//
// Pure bookkeeping: no curl, no threads, no clock. One owner.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "net/concurrency.h"
#include "net/pending_request.h"

namespace lazyvol::net {

/// How many of `limit` connections requests of `priority` may use together with all others: a
/// reader and metadata all, readahead 7/8, what nobody waits for 3/4 (rounded so that, from 2 on,
/// at least one stays free), so that a reader need not wait for the end of a transfer of less
/// worth. At least 1.
std::uint32_t connection_share(Priority priority, std::uint32_t limit);

class RequestQueue {
 public:
  /// Streams that requests may have open to one HTTP/2 server, over one connection.
  static constexpr std::uint32_t kStreamsPerHost = 64;

  /// `first_per_host`: of `per_host`, until more prove their worth (concurrency.h).
  RequestQueue(std::uint32_t per_host, std::uint32_t total,
               std::uint32_t first_per_host = UINT32_MAX);

  void push(std::unique_ptr<PendingRequest> request);
  /// The most urgent (priority, then age) request that the limits admit, now counted as under way;
  /// or null. Call release() for it once.
  std::unique_ptr<PendingRequest> pop();
  void release(const PendingRequest& request);
  /// Takes a waiting request out; null when `id` is not waiting.
  std::unique_ptr<PendingRequest> remove(std::uint64_t id);

  /// What was learnt of a server: whether it speaks HTTP/2, and when it last sent a byte (or had no
  /// chance to, since the receiver held it back).
  void note_http2(const Origin& origin, bool http2);
  void note_progress(const Origin& origin, base::Monotonic when);
  base::Monotonic last_progress(const Origin& origin) const;
  /// How a request to `origin` ended; `others_wait` is known here.
  void note_outcome(const Origin& origin, Concurrency::Outcome outcome);
  /// The most connections that any server may have now.
  std::uint32_t widest() const;

  /// Takes out the requests that waited context.no_progress while their server (or, when nothing of
  /// theirs is under way, every server) sent nothing.
  std::vector<std::unique_ptr<PendingRequest>> take_expired(base::Monotonic now);
  /// When take_expired() may next find one; time_point::max() when nothing waits.
  base::Monotonic next_expiry() const;

  std::size_t waiting() const { return where_.size(); }
  std::size_t under_way() const { return under_way_; }
  std::vector<std::unique_ptr<PendingRequest>> take_all();

 private:
  using Key = std::pair<Priority, std::uint64_t>;
  using Waiting = std::map<Key, std::unique_ptr<PendingRequest>>;
  struct Host {
    Waiting exclusive, shareable;  ///< by what they need
    std::uint32_t exclusive_active = 0, shareable_active = 0;
    bool http2 = false;
    base::Monotonic last_progress{};
    Concurrency concurrency;

    explicit Host(const Concurrency::Bounds& bounds) : concurrency(bounds) {}
    std::uint32_t connections() const;
    bool idle() const;
  };
  using Hosts = std::map<Origin, Host>;

  bool admits(const Host& host, const PendingRequest& request) const;
  base::Monotonic expiry(const Host& host, const PendingRequest& request) const;
  void forget_idle_hosts();
  template <class Change>
  void change(Host& host, Change change);

  Host& host(const Origin& origin);

  const Concurrency::Bounds per_host_;
  const std::uint32_t total_;
  Hosts hosts_;
  std::unordered_map<std::uint64_t, std::pair<Origin, Key>> where_;  ///< the waiting, by id
  std::uint32_t connections_ = 0;  ///< the sum of Host::connections()
  std::size_t under_way_ = 0;
  base::Monotonic last_progress_{};
};

}  // namespace lazyvol::net
