// Which revision a published volume shows: replaced whole, at one moment.
#pragma once

#include <functional>
#include <memory>

#include "base/locked.h"
#include "volume/published_revision.h"

namespace lazyvol::volume {

/// Thread-safe.
///
/// The kernel keeps an answer for a day unless it is told to forget it, and it can only forget what
/// it was given before. So who answers from a revision holds it for as long as giving the answer
/// takes, and what has changed is told when nobody does that any more. An answer that was prepared
/// from a revision that is no longer current is not given (hold() is null), or not to be kept.
class CurrentRevision {
 public:
  using Hold = std::shared_ptr<void>;

  std::shared_ptr<const Revision> get() const { return state_.lock()->revision; }
  /// Null when `revision` is not the current one. Not to be held while waiting for anything.
  Hold hold(const std::shared_ptr<const Revision>& revision) const {
    const auto state = state_.lock();
    return state->revision == revision ? state->answering : nullptr;
  }
  /// `settled` is called once no answer of the revision before is being given any more: here, or on
  /// the thread that gives the last one, with no lock held. It must not block.
  void replace(std::shared_ptr<const Revision> next, std::function<void()> settled) {
    auto answering = std::make_shared<Answering>();
    {
      auto state = state_.lock();
      state->revision.swap(next);
      state->answering.swap(answering);
    }
    if (answering) {
      answering->settled = std::move(settled);
    } else if (settled) {
      settled();
    }
  }

 private:
  struct Answering {
    Answering() = default;
    Answering(const Answering&) = delete;
    Answering& operator=(const Answering&) = delete;
    ~Answering() {
      if (settled) settled();
    }
    std::function<void()> settled;
  };
  struct State {
    std::shared_ptr<const Revision> revision;
    std::shared_ptr<Answering> answering;
  };
  base::Locked<State> state_;
};

}  // namespace lazyvol::volume
