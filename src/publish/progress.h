// What has been done so far, counted by many threads and told by one.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>

#include "lazyvol/error.h"
#include "publish/publisher.h"

namespace lazyvol::publish {

/// Thread rule: the counters are free for all; tick() is the publishing thread's, who calls it
/// often, also while it waits.
class Progress {
 public:
  using Counter = std::atomic<std::uint64_t>;

  Progress(const std::function<void(const PublishProgress&)>& tell, std::stop_token stop)
      : tell_(tell), stop_(std::move(stop)) {}

  void enter(PublishProgress::Phase phase) {
    phase_ = phase;
    tell();
  }
  /// Tells if it is time to.
  void tick() {
    if (std::chrono::steady_clock::now() - told_ >= kInterval) tell();
  }
  PublishProgress now() const {
    return {.phase = phase_,
            .files_found = files_found,
            .bytes_found = bytes_found,
            .files_done = files_done,
            .bytes_done = bytes_done,
            .bytes_read = bytes_read,
            .bytes_known = bytes_known,
            .bytes_stored = bytes_stored};
  }
  const std::stop_token& stop() const { return stop_; }
  /// Errors: cancelled, when somebody asked for it.
  Status check() const {
    if (stop_.stop_requested()) return Error{Code::cancelled, "publishing was cancelled"};
    return {};
  }

  /// How long a thread that waits may sleep between two ticks.
  static constexpr std::chrono::milliseconds kInterval{100};

  Counter files_found = 0, bytes_found = 0, files_done = 0, bytes_done = 0;
  Counter bytes_read = 0, bytes_known = 0, bytes_stored = 0;

 private:
  void tell() {
    told_ = std::chrono::steady_clock::now();
    if (tell_) tell_(now());
  }

  const std::function<void(const PublishProgress&)>& tell_;
  std::stop_token stop_;
  PublishProgress::Phase phase_ = PublishProgress::Phase::scanning;
  std::chrono::steady_clock::time_point told_;
};

}  // namespace lazyvol::publish
