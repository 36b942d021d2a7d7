// A list() or stat() under way: retries, deadline, cancellation.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <utility>

#include "base/clock.h"
#include "base/locked.h"
#include "base/timer.h"
#include "lazyvol/error.h"
#include "lazyvol/request.h"
#include "net/retry.h"
#include "source/sftp_pool.h"

namespace lazyvol::source {

/// Answers exactly once: with what the work found, or cancelled, or timed_out when there was no
/// progress for ctx.no_progress. Failures that may pass are tried again within that time. The work
/// may go on after the answer; what it says then is dropped. Thread-safe.
template <class T>
class SftpCall : public std::enable_shared_from_this<SftpCall<T>> {
 public:
  using Done = std::function<void(Result<T>)>;
  /// Runs on the connection's thread; keeps the lease while it needs the connection, and calls
  /// attempt_done() once for each time it was started.
  using Work = std::function<void(std::shared_ptr<SftpLease>, std::shared_ptr<SftpCall>)>;

  static void start(std::shared_ptr<SftpPool> pool, base::TimerQueue& timer,
                    const RequestContext& ctx, std::uint32_t max_retries, Work work, Done done) {
    auto call = std::shared_ptr<SftpCall>(
        new SftpCall(std::move(pool), timer, ctx, max_retries, std::move(work), std::move(done)));
    const std::weak_ptr<SftpCall> weak = call;
    call->on_stop_.emplace(ctx.stop, std::function<void()>([weak] {
                             if (const auto self = weak.lock()) {
                               self->answer(Error{Code::cancelled, "cancelled"});
                             }
                           }));
    call->watch();
    call->attempt();
  }

  ~SftpCall() { timer_.cancel(watch_.load()); }

  /// Something came.
  void progress() { *progress_.lock() = base::system_clock().now(); }
  bool answered() const { return answered_.load(); }

  void attempt_done(Result<T> result) {
    if (result.ok() || answered()) return answer(std::move(result));
    const net::RetryPolicy policy{.max_retries = max_retries_, .deadline = no_progress_};
    const auto delay =
        net::next_retry(policy, result.error(), retries_++, since_progress(), random_part());
    if (!delay) return answer(std::move(result));
    timer_.after(*delay, [self = this->shared_from_this()] { self->attempt(); });
  }

 private:
  SftpCall(std::shared_ptr<SftpPool> pool, base::TimerQueue& timer, const RequestContext& ctx,
           std::uint32_t max_retries, Work work, Done done)
      : pool_(std::move(pool)),
        timer_(timer),
        no_progress_(ctx.no_progress),
        max_retries_(max_retries),
        work_(std::move(work)),
        done_(std::move(done)),
        progress_(base::system_clock().now()) {}

  void attempt() {
    if (answered()) return;
    pool_->run(SftpPool::Kind::metadata,
               [self = this->shared_from_this()](Result<std::shared_ptr<SftpLease>> lease) {
                 if (self->answered()) return;
                 if (!lease.ok()) return self->attempt_done(std::move(lease).error());
                 self->work_(*std::move(lease), self);
               });
  }

  void watch() {
    watch_ = timer_.after(no_progress_, [weak = this->weak_from_this()] {
      const auto self = weak.lock();
      if (!self || self->answered()) return;
      if (self->since_progress() < self->no_progress_) return self->watch();
      self->answer(Error{Code::timed_out, "no answer within the deadline"});
    });
  }

  void answer(Result<T> result) {
    if (answered_.exchange(true)) return;
    const Done done = std::move(done_);
    done(std::move(result));
  }

  std::chrono::milliseconds since_progress() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(base::system_clock().now() -
                                                                 *progress_.lock());
  }

  static double random_part() {
    thread_local std::minstd_rand random{std::random_device{}()};
    return std::uniform_real_distribution<double>(0.0, 1.0)(random);
  }

  const std::shared_ptr<SftpPool> pool_;
  base::TimerQueue& timer_;
  const std::chrono::milliseconds no_progress_;
  const std::uint32_t max_retries_;
  const Work work_;
  Done done_;                  // touched by whoever set answered_
  std::uint32_t retries_ = 0;  // touched by the one attempt under way
  std::atomic<bool> answered_{false};
  std::atomic<base::TimerQueue::Id> watch_{0};
  base::Locked<base::Monotonic> progress_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace lazyvol::source
