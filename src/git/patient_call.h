// One answer to one caller who waits for as long as there is progress.
#pragma once

#include <algorithm>
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

namespace lazyvol::git {

/// As source::Pending, with a deadline that counts from the last progress of the work that the call
/// waits for: a batch that many wait for, or a long fetch. Thread-safe.
template <class T>
class PatientCall : public std::enable_shared_from_this<PatientCall<T>> {
 public:
  using Done = std::function<void(Result<T>)>;
  using TimePoint = std::chrono::steady_clock::time_point;
  using Progress = std::function<TimePoint()>;

  /// `done` is called once: inline from answer(), or with cancelled or timed_out on the thread that
  /// requests the stop, or the timer's. `progress` is asked while the call is alive. `on_progress`
  /// (may be empty) is told when there was some, at least once in each ctx.no_progress; it may
  /// still be called while `done` is.
  static std::shared_ptr<PatientCall> make(base::TimerQueue& timer, const RequestContext& ctx,
                                           Progress progress, Done done,
                                           std::function<void()> on_progress = {}) {
    auto call = std::shared_ptr<PatientCall>(
        new PatientCall(timer, ctx, std::move(progress), std::move(done), std::move(on_progress)));
    call->watch(ctx.no_progress);
    const std::weak_ptr<PatientCall> weak = call;
    call->on_stop_.emplace(ctx.stop, std::function<void()>([weak] {
                             const auto self = weak.lock();
                             if (self) self->answer(Error{Code::cancelled, "cancelled"});
                           }));
    return call;
  }
  ~PatientCall() { timer_.cancel(timer_id_); }

  void answer(Result<T> result) {
    if (answered_.exchange(true)) return;
    const Done done = std::move(done_);
    done(std::move(result));
  }
  bool answered() const { return answered_.load(); }

 private:
  PatientCall(base::TimerQueue& timer, const RequestContext& ctx, Progress progress, Done done,
              std::function<void()> on_progress)
      : timer_(timer),
        no_progress_(ctx.no_progress),
        begun_(std::chrono::steady_clock::now()),
        progress_(std::move(progress)),
        on_progress_(std::move(on_progress)),
        done_(std::move(done)) {}

  void watch(std::chrono::milliseconds delay) {
    timer_id_ = timer_.after(delay, [weak = this->weak_from_this()] {
      if (const auto self = weak.lock()) self->look();
    });
  }
  void look() {
    if (answered()) return;
    const auto since = std::chrono::ceil<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - std::max(begun_, progress_()));
    if (since < no_progress_) {
      if (on_progress_) on_progress_();
      return watch(no_progress_ - since);
    }
    answer(Error{Code::timed_out, "no answer within the deadline"});
  }

  base::TimerQueue& timer_;
  const std::chrono::milliseconds no_progress_;
  const TimePoint begun_;
  const Progress progress_;
  const std::function<void()> on_progress_;
  Done done_;  // touched by whoever set answered_
  std::atomic<bool> answered_{false};
  std::atomic<base::TimerQueue::Id> timer_id_{0};
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace lazyvol::git
