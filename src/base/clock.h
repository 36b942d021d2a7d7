// The clock as a seam, so that policies and TTLs are tested without sleeping.
#pragma once

#include <chrono>
#include <cstdint>

namespace lazyvol::base {

using Monotonic = std::chrono::steady_clock::time_point;

/// Where time comes from. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  /// For intervals and deadlines.
  virtual Monotonic now() const = 0;
  /// Wall clock, nanoseconds since the Unix epoch; for what must survive a restart (TTLs on disk).
  virtual std::int64_t wall_ns() const = 0;
};

/// The machine's clock; static storage.
const Clock& system_clock() noexcept;

}  // namespace lazyvol::base
