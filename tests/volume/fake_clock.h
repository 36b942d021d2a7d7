// A clock that moves when told.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace lazyvol::testing {

/// Thread-safe. Both clocks move together; the wall clock can also jump alone.
class FakeClock final : public base::Clock {
 public:
  base::Monotonic now() const override {
    return base::Monotonic(std::chrono::nanoseconds(monotonic_ns_.load()));
  }
  std::int64_t wall_ns() const override { return wall_ns_.load(); }

  void advance(std::chrono::milliseconds by) {
    const std::chrono::nanoseconds ns = by;
    monotonic_ns_ += ns.count();
    wall_ns_ += ns.count();
  }
  void jump_wall(std::chrono::milliseconds by) {
    const std::chrono::nanoseconds ns = by;
    wall_ns_ += ns.count();
  }

 private:
  std::atomic<std::int64_t> monotonic_ns_{1'000'000'000'000};
  std::atomic<std::int64_t> wall_ns_{1'800'000'000'000'000'000};
};

}  // namespace lazyvol::testing
