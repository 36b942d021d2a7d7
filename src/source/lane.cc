#include "source/lane.h"

#include <utility>

namespace lazyvol::source {

bool Lane::submit(std::function<void()> task) {
  {
    auto state = state_.lock();
    if (state->running == share_) {
      state->waiting.push_back(std::move(task));
      return true;
    }
    ++state->running;
  }
  if (start(std::move(task))) return true;
  --state_.lock()->running;
  return false;
}

bool Lane::start(std::function<void()> task) {
  return workers_.submit([self = shared_from_this(), task = std::move(task)]() mutable {
    task();
    task = nullptr;
    self->finished();
  });
}

/// Hands the place to the next one, behind whatever else waits for the pool.
void Lane::finished() {
  for (;;) {
    std::function<void()> next;
    {
      auto state = state_.lock();
      if (state->waiting.empty()) {
        --state->running;
        return;
      }
      next = std::move(state->waiting.front());
      state->waiting.pop_front();
    }
    // A pool that stops runs what it has taken, so this runs what it had been given.
    std::function<void()> kept = next;
    if (start(std::move(next))) return;
    kept();
  }
}

}  // namespace lazyvol::source
