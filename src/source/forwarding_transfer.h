// A Transfer in front of another that comes later, or is replaced by a second attempt.
#pragma once

#include <memory>
#include <utility>

#include "base/locked.h"
#include "lazyvol/source.h"

namespace lazyvol::source {

/// Forwards to the Transfer that is under way now; it outlives the read, so it holds no sink. A
/// resume() that comes before that Transfer is known is kept for it. Thread-safe.
class ForwardingTransfer : public Transfer {
 public:
  void resume() override {
    auto state = state_.lock();
    const auto current = state->current;
    if (!current) state->resumed = true;
    state.unlock();
    if (current) current->resume();
  }

  void hurry(Priority priority) override {
    const auto current = state_.lock()->current;
    if (current) current->hurry(priority);
  }

  /// Before a submit: its sink may pause and be resumed before the submit has returned.
  void expect_next() {
    auto state = state_.lock();
    state->current.reset();
    state->resumed = false;
  }
  void set(std::shared_ptr<Transfer> transfer) {
    auto state = state_.lock();
    state->current = transfer;
    const bool resumed = std::exchange(state->resumed, false);
    state.unlock();
    if (resumed) transfer->resume();
  }

 private:
  struct State {
    std::shared_ptr<Transfer> current;
    bool resumed = false;
  };
  base::Locked<State> state_;
};

}  // namespace lazyvol::source
