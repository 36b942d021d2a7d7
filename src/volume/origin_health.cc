#include "volume/origin_health.h"

#include <algorithm>

namespace lazyvol::volume {

void OriginHealth::failed(base::Monotonic now,
                          std::optional<std::chrono::milliseconds> retry_after) {
  if (down(now)) return;
  auto window = next_;
  if (retry_after) {
    const std::chrono::milliseconds longest = std::chrono::hours(1);
    window = std::max(window, std::min(*retry_after, longest));
  }
  until_ = now + window;
  next_ = std::min(next_ * 2, kLongestBackoff);
}

void OriginHealth::succeeded() {
  next_ = kFirstBackoff;
  until_ = {};
}

}  // namespace lazyvol::volume
