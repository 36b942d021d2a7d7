#include "fetch/origin_ranks.h"

#include <algorithm>

namespace lazyvol::fetch {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstDemotion{1'000};
constexpr milliseconds kLongestDemotion{300'000};
/// Who was good for this many times its last demotion begins anew.
constexpr int kForgivenAfter = 4;

milliseconds demotion(std::uint32_t failures) {
  milliseconds span = kFirstDemotion;
  for (std::uint32_t i = 1; i < failures && span < kLongestDemotion; ++i) span *= 2;
  return std::min(span, kLongestDemotion);
}

}  // namespace

std::optional<OriginRanks::Choice> OriginRanks::choose(OriginSet tried, base::Monotonic now) const {
  std::optional<std::size_t> due, last;
  for (std::size_t i = 0; i < origins_.size(); ++i) {
    const Origin& origin = origins_[i];
    if ((tried >> i & 1) != 0) continue;
    if (!origin.demoted) return due ? Choice{*due, true} : Choice{i, false};
    if (!due && !origin.probing && now >= origin.until) due = i;
    if (!last || origin.until < origins_[*last].until) last = i;
  }
  if (!last) return std::nullopt;
  return Choice{*last, false};
}

bool OriginRanks::has_alternative(std::size_t index) const {
  for (std::size_t i = 0; i < origins_.size(); ++i) {
    if (i != index && !origins_[i].demoted) return true;
  }
  return false;
}

void OriginRanks::failed(std::size_t index, base::Monotonic now,
                         std::optional<milliseconds> at_least) {
  Origin& origin = origins_[index];
  // Requests that were under way together fail together: that is one failure.
  if (origin.demoted && now < origin.until) return;
  if (now - origin.since > kForgivenAfter * demotion(origin.failures)) origin.failures = 0;
  ++origin.failures;
  origin.demoted = true;
  origin.since = now;
  origin.until = now + std::max(demotion(origin.failures), at_least.value_or(milliseconds(0)));
}

void OriginRanks::succeeded(std::size_t index, base::Monotonic asked, base::Monotonic now) {
  Origin& origin = origins_[index];
  if (origin.demoted && asked >= origin.until && now >= origin.until) origin.demoted = false;
}

}  // namespace lazyvol::fetch
