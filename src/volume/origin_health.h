// Whether to wait for an origin that failed lately: a pure policy.
#pragma once

#include <chrono>
#include <optional>

#include "base/clock.h"

namespace lazyvol::volume {

inline constexpr std::chrono::milliseconds kFirstBackoff{1'000};
inline constexpr std::chrono::milliseconds kLongestBackoff{30'000};

/// After a failure the origin is taken to be down for a window that doubles with each further
/// failure, from kFirstBackoff to kLongestBackoff; one success ends it. While it is down, callers
/// that have old data serve them at once instead of waiting. A failure inside a window does not
/// lengthen it: requests that were under way together count once. Not thread-safe.
class OriginHealth {
 public:
  bool down(base::Monotonic now) const { return now < until_; }
  /// `retry_after`: what the origin asked for; the window is at least that (at most an hour).
  void failed(base::Monotonic now, std::optional<std::chrono::milliseconds> retry_after);
  void succeeded();

 private:
  std::chrono::milliseconds next_ = kFirstBackoff;
  base::Monotonic until_{};
};

}  // namespace lazyvol::volume
