#include "cache/recency.h"

#include <ctime>

namespace lazyvol::cache {

std::uint64_t coarse_now_ms() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

bool record_read(Use& use, std::uint64_t now_ms, bool again) noexcept {
  const bool separate = use.was_read && now_ms >= use.last_ms + kSeparateMs;
  use.last_ms = now_ms;
  use.was_read = true;
  if (use.is_protected || !(again || separate)) return false;
  use.is_protected = true;
  return true;
}

bool goes_before(const Use& a, const Use& b, bool classes_matter) noexcept {
  if (classes_matter && a.is_protected != b.is_protected) return b.is_protected;
  return a.last_ms < b.last_ms;
}

bool classes_matter(std::uint64_t protected_bytes, std::uint64_t all_bytes) noexcept {
  return protected_bytes <= all_bytes / 5 * 4;
}

}  // namespace lazyvol::cache
