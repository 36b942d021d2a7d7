// What is under way in a volume, so that stop() can wait for it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <stop_token>

#include "base/locked.h"

namespace lazyvol::volume {

/// Counts operations whose callbacks are still to come. Thread-safe; must outlive its tokens, which
/// is why the tokens keep it alive.
class Activity : public std::enable_shared_from_this<Activity> {
 public:
  /// Held by one operation from its begin to the end of its last callback.
  class Token {
   public:
    explicit Token(std::shared_ptr<Activity> activity) : activity_(std::move(activity)) {}
    ~Token() { activity_->leave(); }
    Token(const Token&) = delete;
    Token& operator=(const Token&) = delete;

   private:
    std::shared_ptr<Activity> activity_;
  };

  /// nullptr once stop() was called.
  std::shared_ptr<Token> enter() {
    auto state = state_.lock();
    if (state->stopping) return nullptr;
    ++state->running;
    return std::make_shared<Token>(shared_from_this());
  }
  /// For RequestContext::stop of everything that the volume asks its source.
  std::stop_token stop_token() const { return stop_.get_token(); }

  /// Refuses new operations and asks those under way to end soon. Idempotent.
  void stop() {
    state_.lock()->stopping = true;
    stop_.request_stop();
  }
  /// Returns when no operation is under way. Not from a callback.
  void wait() {
    auto state = state_.lock();
    idle_.wait(state.native(), [&] { return state->running == 0; });
  }

 private:
  struct State {
    std::uint64_t running = 0;
    bool stopping = false;
  };
  void leave() {
    auto state = state_.lock();
    if (--state->running == 0) idle_.notify_all();
  }

  base::Locked<State> state_;
  std::condition_variable idle_;
  std::stop_source stop_;
};

}  // namespace lazyvol::volume
