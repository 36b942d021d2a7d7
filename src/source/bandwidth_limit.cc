#include "source/bandwidth_limit.h"

#include <algorithm>

namespace lazyvol::source {

void BandwidthLimit::set_rate(std::uint64_t bytes_per_second) {
  const auto paid_until = paid_until_.lock();
  rate_.store(bytes_per_second, std::memory_order_relaxed);
  *paid_until = {};  // debts at the rate before are nobody's
}

base::Monotonic BandwidthLimit::took(std::uint64_t bytes, base::Monotonic now) {
  if (rate() == 0) return {};
  const auto paid_until = paid_until_.lock();
  const std::uint64_t rate = rate_.load(std::memory_order_relaxed);
  if (rate == 0) return {};
  const std::chrono::duration<double> cost(static_cast<double>(bytes) / static_cast<double>(rate));
  *paid_until = std::max(*paid_until, now - kBurst) +
                std::chrono::duration_cast<base::Monotonic::duration>(cost);
  return *paid_until;
}

}  // namespace lazyvol::source
