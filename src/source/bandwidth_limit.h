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

  /// Who takes bytes. All pay for them, but those who are waited for only wait for their like: what
  /// nobody waits for (background) gets what they leave.
  enum class Taker : std::uint8_t { awaited, background };

  /// Records that `bytes` came; until when no more should be taken by its like. In the past: go on.
  base::Monotonic took(Taker taker, std::uint64_t bytes, base::Monotonic now);
  /// Until when no more should be taken: what took() said last, unless the rate has changed since.
  base::Monotonic paid_until(Taker taker) const { return of(*paid_.lock(), taker); }

 private:
  struct PaidUntil {
    base::Monotonic awaited{}, all{};
  };
  static base::Monotonic of(const PaidUntil& paid, Taker taker) {
    return taker == Taker::awaited ? paid.awaited : paid.all;
  }

  std::atomic<std::uint64_t> rate_{0};
  mutable base::Locked<PaidUntil> paid_;
};

}  // namespace lazyvol::source
