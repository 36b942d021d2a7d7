// How long a request usually takes, and so when another origin should be asked instead.
#pragma once

#include <chrono>
#include <cstdint>

namespace lazyvol::fetch {

/// Means of the requests that went well, of whichever origin; the latest count most. Pure policy.
/// Thread rule: not thread-safe, guarded by its owner.
class TransferPace {
 public:
  /// No less than this, for noise; and this much while nothing is known.
  static constexpr std::chrono::milliseconds kLeastPatience{500}, kFirstPatience{2'000};
  /// Late is who takes so many times as long as usual for so many bytes.
  static constexpr double kLate = 8;

  void note(std::uint64_t bytes, std::chrono::nanoseconds took);
  /// After this long a request for so many bytes is late.
  std::chrono::milliseconds patience(std::uint64_t bytes) const;

 private:
  double seconds_ = 0, bytes_ = 0;  ///< means; 0: none yet
};

/// Requests that may be taken from a late origin and made at another: one in twenty, and a few.
class HedgeBudget {
 public:
  static constexpr std::uint64_t kAtFirst = 32, kOneOf = 20;

  void request() { ++requests_; }
  /// True, and it is spent.
  bool take() {
    if (taken_ >= kAtFirst + requests_ / kOneOf) return false;
    ++taken_;
    return true;
  }

 private:
  std::uint64_t requests_ = 0, taken_ = 0;
};

}  // namespace lazyvol::fetch
