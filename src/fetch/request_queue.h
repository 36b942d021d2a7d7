// The requests that wait for their turn.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/clock.h"
#include "fetch/flight.h"

namespace lazyvol::fetch {

/// Ordered by priority, then age; and beside it those that wait for a moment in time (retries).
/// Not thread-safe: guarded by the engine's lock. Sets Request::state.
class RequestQueue {
 public:
  struct Order {
    bool operator()(const std::shared_ptr<Request>& a, const std::shared_ptr<Request>& b) const;
  };
  using Ready = std::set<std::shared_ptr<Request>, Order>;
  using Delayed = std::multimap<base::Monotonic, std::shared_ptr<Request>>;

  void add(const std::shared_ptr<Request>& request);
  void delay(const std::shared_ptr<Request>& request, base::Monotonic until);
  /// Takes it out of wherever it waits; no effect on one that does not.
  void remove(const std::shared_ptr<Request>& request);
  /// Makes it more urgent, never less. Takes effect for queued and delayed ones.
  void raise(const std::shared_ptr<Request>& request, Priority priority);
  /// Moves what is due from the delayed to the ready.
  void due(base::Monotonic now);

  const Ready& ready() const { return ready_; }
  const Delayed& delayed() const { return delayed_; }
  bool empty() const { return ready_.empty() && delayed_.empty(); }
  std::optional<base::Monotonic> next_due() const;
  /// Takes everything out.
  std::vector<std::shared_ptr<Request>> clear();

 private:
  void index(Request& request);
  void unindex(Request& request);

  Ready ready_;
  Delayed delayed_;
};

}  // namespace lazyvol::fetch
