// The frames that wait for their turn.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "fetch/frame_flight.h"

namespace lazyvol::fetch {

/// Ordered by priority, then age; by place in their pack, to find neighbours; and beside them those
/// that wait for a moment in time (retries). Not thread-safe: guarded by the frame engine's lock.
/// Sets FrameFlight::state.
class FrameQueue {
 public:
  struct Order {
    bool operator()(const std::shared_ptr<FrameFlight>& a,
                    const std::shared_ptr<FrameFlight>& b) const;
  };
  using Ready = std::set<std::shared_ptr<FrameFlight>, Order>;

  void add(const std::shared_ptr<FrameFlight>& flight);
  void delay(const std::shared_ptr<FrameFlight>& flight, base::Monotonic until);
  /// Takes it out of wherever it waits; no effect on one that does not.
  void remove(const std::shared_ptr<FrameFlight>& flight);
  /// Makes it more urgent, never less.
  void raise(const std::shared_ptr<FrameFlight>& flight, Priority priority);
  /// Moves what is due from the delayed to the ready.
  void due(base::Monotonic now);

  const Ready& ready() const { return ready_; }
  bool empty() const { return ready_.empty() && delayed_.empty(); }
  std::optional<base::Monotonic> next_due() const;
  /// The ready one that begins at or after byte `offset` of `pack`, the nearest; or before it.
  std::shared_ptr<FrameFlight> at_or_after(const catalog::Digest& pack, std::uint64_t offset) const;
  std::shared_ptr<FrameFlight> before(const catalog::Digest& pack, std::uint64_t offset) const;

 private:
  /// Several flights may claim one offset; a request takes one of them.
  using Place = std::pair<catalog::Digest, std::uint64_t>;

  Ready ready_;
  std::multimap<Place, std::shared_ptr<FrameFlight>> places_;  ///< of the ready ones
  std::multimap<base::Monotonic, std::shared_ptr<FrameFlight>> delayed_;
};

}  // namespace lazyvol::fetch
