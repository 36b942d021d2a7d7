#include "net/concurrency.h"

#include <algorithm>

namespace lazyvol::net {
namespace {

using namespace std::chrono_literals;

constexpr auto kShortestEpoch = 200ms;
/// So many requests in a row tell a rate, of which most had others waiting behind them.
constexpr std::uint32_t kEpochRequests = 2;  // times the limit
constexpr double kCrowdedShare = 0.75;
/// What a request is worth beside its bytes: small ones are counted, large ones are weighed.
constexpr double kRequestWorth = 64 << 10;
constexpr double kGain = 1.08;  // less than this is noise
constexpr std::uint32_t kShortestRest = 8, kMostRefusals = 5;
constexpr auto kForgetAfter = 60s;

}  // namespace

Concurrency::Concurrency(const Bounds& bounds)
    : bounds_{std::clamp(bounds.first, 1U, std::max(1U, bounds.most)), std::max(1U, bounds.most)},
      limit_(bounds_.first) {}

void Concurrency::begin_epoch(base::Monotonic now) {
  since_ = now;
  work_ = 0;
  requests_ = crowded_ = 0;
}

void Concurrency::finished(const Outcome& outcome) {
  if (requests_ == 0 || outcome.ended - last_ > kForgetAfter) {
    if (outcome.ended - last_ > kForgetAfter) *this = Concurrency(bounds_);
    begin_epoch(outcome.started);
  }
  last_ = outcome.ended;
  if (outcome.overloaded) return back_off(outcome);
  ++requests_;
  crowded_ += outcome.others_wait ? 1 : 0;
  work_ += static_cast<double>(outcome.bytes) + kRequestWorth;
  const auto elapsed = outcome.ended - since_;
  if (requests_ < kEpochRequests * limit_ || elapsed < kShortestEpoch) return;
  if (crowded_ >= kCrowdedShare * requests_) {
    judge(work_ / std::chrono::duration<double>(elapsed).count());
  }
  begin_epoch(outcome.ended);
}

void Concurrency::judge(double rate) {
  if (!trying_) {
    if (rest_ > 0) --rest_;
    if (rest_ == 0) widen(rate);
    return;
  }
  trying_ = false;
  if (rate >= proven_rate_ * kGain) {
    refusals_ = 0;
    return widen(rate);
  }
  limit_ = proven_;
  doubling_ = false;
  rest_ = kShortestRest << std::min(refusals_++, kMostRefusals);
}

void Concurrency::widen(double rate) {
  if (limit_ == bounds_.most) return;
  proven_ = limit_;
  proven_rate_ = rate;
  limit_ = std::min(bounds_.most, doubling_ ? 2 * limit_ : limit_ + std::max(1U, limit_ / 4));
  trying_ = true;
}

/// Once for all that were under way together.
void Concurrency::back_off(const Outcome& outcome) {
  if (outcome.started < backed_off_) return;
  backed_off_ = outcome.ended;
  limit_ = std::max(1U, limit_ / 2);
  trying_ = doubling_ = false;
  rest_ = kShortestRest;
  begin_epoch(outcome.ended);
}

}  // namespace lazyvol::net
