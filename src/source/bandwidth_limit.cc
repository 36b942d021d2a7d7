#include "source/bandwidth_limit.h"

#include <algorithm>

namespace lazyvol::source {

void BandwidthLimit::set_rate(std::uint64_t bytes_per_second) {
  const auto paid = paid_.lock();
  rate_.store(bytes_per_second, std::memory_order_relaxed);
  *paid = {};  // debts at the rate before are nobody's
}

base::Monotonic BandwidthLimit::took(Taker taker, std::uint64_t bytes, base::Monotonic now) {
  if (rate() == 0) return {};
  const auto paid = paid_.lock();
  const std::uint64_t rate = rate_.load(std::memory_order_relaxed);
  if (rate == 0) return {};
  const auto cost = std::chrono::duration_cast<base::Monotonic::duration>(
      std::chrono::duration<double>(static_cast<double>(bytes) / static_cast<double>(rate)));
  const auto pay = [&](base::Monotonic& until) { until = std::max(until, now - kBurst) + cost; };
  pay(paid->all);
  if (taker == Taker::awaited) pay(paid->awaited);
  return of(*paid, taker);
}

}  // namespace lazyvol::source
