#include "fetch/background_gate.h"

#include <algorithm>

namespace lazyvol::fetch {

BackgroundGate::Allowance BackgroundGate::allowance(const Traffic& traffic, base::Monotonic now,
                                                    std::uint32_t most, std::uint64_t most_bytes) {
  const std::uint64_t few_bytes = std::min(most_bytes, kShortBytes);
  const auto quiet_for = now - traffic.foreground_seen;
  const bool never_seen = traffic.foreground_seen == base::Monotonic{};
  if (traffic.foreground == 0 && (never_seen || quiet_for >= kQuiet)) {
    return {traffic.background < most, most_bytes, now + kTrickle};
  }
  if (traffic.foreground == 0 && quiet_for >= kPause) {
    return {traffic.background < std::min(kFew, most), few_bytes, now + kPause};
  }
  const bool waited = now - traffic.background_begun >= kTrickle;
  return {traffic.background == 0 && waited, few_bytes, now + kPause};
}

BackgroundGate::Allowance BackgroundGate::allowance(base::Monotonic now, std::uint32_t most,
                                                    std::uint64_t most_bytes) const {
  return allowance(*traffic_.lock(), now, most, most_bytes);
}

std::unique_ptr<BackgroundGate::Token> BackgroundGate::enter(Priority priority,
                                                             base::Monotonic now) {
  const bool background = priority == Priority::hydrate;
  if (!background && priority != Priority::reader && priority != Priority::readahead) {
    return nullptr;
  }
  {
    auto traffic = traffic_.lock();
    ++(background ? traffic->background : traffic->foreground);
    if (background) traffic->background_begun = now;
  }
  return std::make_unique<Token>(shared_from_this(), background);
}

void BackgroundGate::leave(bool background) {
  auto traffic = traffic_.lock();
  --(background ? traffic->background : traffic->foreground);
  if (!background) traffic->foreground_seen = base::system_clock().now();
}

}  // namespace lazyvol::fetch
