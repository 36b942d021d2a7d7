// One answer to one caller, from whoever is first: the work, the deadline or the stop token.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/timer.h"
#include "lazyvol/error.h"
#include "lazyvol/request.h"

namespace lazyvol::source {

/// Makes a call that may block for ever (a dead NFS server) answer in time: the blocked thread
/// finishes whenever it does, and its late answer is dropped. Thread-safe.
template <class T>
class Pending : public std::enable_shared_from_this<Pending<T>> {
 public:
  using Done = std::function<void(Result<T>)>;

  /// `done` is called exactly once, inline from answer(), or with cancelled or timed_out on the
  /// thread that requests the stop, or the timer's.
  static std::shared_ptr<Pending> make(base::TimerQueue& timer, const RequestContext& ctx,
                                       Done done) {
    auto pending = std::shared_ptr<Pending>(new Pending(timer, ctx.stop, std::move(done)));
    pending->arm(ctx);
    return pending;
  }

  ~Pending() { timer_.cancel(timer_id_); }

  void answer(Result<T> result) {
    if (answered_.exchange(true)) return;
    const Done done = std::move(done_);
    done(std::move(result));
  }

  bool answered() const { return answered_.load(); }
  const std::stop_token& stop() const { return stop_; }

 private:
  Pending(base::TimerQueue& timer, std::stop_token stop, Done done)
      : timer_(timer), stop_(std::move(stop)), done_(std::move(done)) {}

  void arm(const RequestContext& ctx) {
    const std::weak_ptr<Pending> weak = this->weak_from_this();
    timer_id_ = timer_.after(ctx.no_progress, [weak] {
      if (const auto self = weak.lock()) {
        self->answer(Error{Code::timed_out, "no answer within the deadline"});
      }
    });
    on_stop_.emplace(stop_, std::function<void()>([weak] {
                       if (const auto self = weak.lock()) {
                         self->answer(Error{Code::cancelled, "cancelled"});
                       }
                     }));
  }

  base::TimerQueue& timer_;
  const std::stop_token stop_;
  Done done_;  // touched by whoever set answered_
  std::atomic<bool> answered_{false};
  base::TimerQueue::Id timer_id_ = 0;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace lazyvol::source
