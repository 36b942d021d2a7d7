#include "cache/block_cache_health.h"

#include "base/log.h"

namespace lazyvol::cache {

std::optional<Error> Health::reason() const {
  return state_.lock()->reason;
}

void Health::suspend(const Error& error) {
  auto state = state_.lock();
  const bool first = !state->reason.has_value();
  state->reason = error;
  if (first) state->next_probe = base::system_clock().now() + probe_interval_;
  writable_.store(false, std::memory_order_release);
  state.unlock();
  if (first) base::log_warn("cache: not storing for now ({}); reads go past it", error.message);
}

bool Health::probe_due(base::Monotonic now) {
  if (writable() || closed()) return false;
  auto state = state_.lock();
  if (now < state->next_probe) return false;
  state->next_probe = now + probe_interval_;
  return true;
}

void Health::resume() {
  auto state = state_.lock();
  if (!state->reason || closed()) return;
  state->reason.reset();
  writable_.store(true, std::memory_order_release);
  state.unlock();
  base::log_info("cache: the disk takes writes again, storing goes on");
}

void Health::close() {
  auto state = state_.lock();
  closed_.store(true, std::memory_order_release);
  state->reason = Error{Code::cancelled, "the cache is closed"};
  writable_.store(false, std::memory_order_release);
}

void Health::report_damage(Counters& counters, const std::string& what) {
  counters.corrupt_blocks.fetch_add(1, std::memory_order_relaxed);
  auto state = state_.lock();
  state->unreported++;
  const auto now = base::system_clock().now();
  if (now - state->last_damage < std::chrono::seconds(1)) return;
  const std::uint64_t count = std::exchange(state->unreported, 0);
  state->last_damage = now;
  state.unlock();
  base::log_warn("cache: dropped {} damaged block(s), last: {}", count, what);
}

}  // namespace lazyvol::cache
