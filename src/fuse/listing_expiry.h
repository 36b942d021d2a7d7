// Lets the kernel forget listings that it would keep for ever, when it opens directories by itself.
#pragma once

#include <chrono>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/locked.h"
#include "base/timer.h"
#include "lazyvol/volume.h"

namespace lazyvol::fuse {

/// Passes changes on to `next`, and adds what a kernel needs that does not ask before it shows a
/// listing again (open=kernel): that listings end with their time, and that one which was on its
/// way when a change was told is forgotten once more, a moment later. Thread-safe.
class ListingExpiry final : public ChangeListener {
 public:
  /// An answer that is on its way to the kernel has arrived after this long.
  static constexpr std::chrono::milliseconds kOnItsWay{1'000};

  /// `next` outlives it.
  explicit ListingExpiry(ChangeListener& next) : next_(next) {}

  /// The kernel, which may be being given a part of this listing, forgets it at `when`, but not
  /// before it has it.
  void forget_at(NodeId directory, base::Monotonic when);

  void entry_changed(NodeId directory, const std::string& name) override;
  void node_changed(NodeId id) override { next_.node_changed(id); }
  void settle(std::function<void()> done) override { next_.settle(std::move(done)); }

  /// Nothing is told any more. Idempotent.
  void stop() { timer_.stop(); }

 private:
  struct State {
    std::unordered_map<NodeId, base::Monotonic> due;
    bool ticking = false;
  };
  void tick();

  ChangeListener& next_;
  base::Locked<State> state_;
  base::TimerQueue timer_;  // last: its thread uses the rest
};

}  // namespace lazyvol::fuse
