// How many bytes a second may come from origins: a token bucket for all sources of a process.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/clock.h"
#include "base/locked.h"

namespace lazyvol::source {

/// The bucket may be overdrawn: whoever took bytes is told how long to take no more. So each piece
/// is paid for after it came, and the rate holds over any time longer than a few pieces.
/// Thread-safe.
class BandwidthLimit {
 public:
  /// What was not used for so long may be used at once.
  static constexpr std::chrono::milliseconds kBurst{100};

  /// Holds from the next piece on. 0: no limit.
  void set_rate(std::uint64_t bytes_per_second);
  std::uint64_t rate() const { return rate_.load(std::memory_order_relaxed); }

  /// Records that `bytes` came; until when no more should be taken. In the past: go on.
  base::Monotonic took(std::uint64_t bytes, base::Monotonic now);
  /// Until when no more should be taken by anybody: what took() said last, unless the rate has
  /// changed since.
  base::Monotonic paid_until() const { return *paid_until_.lock(); }

 private:
  std::atomic<std::uint64_t> rate_{0};
  mutable base::Locked<base::Monotonic> paid_until_;
};

}  // namespace lazyvol::source
