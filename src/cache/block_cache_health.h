// Whether the cache's disk takes writes, and what happened so far.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/locked.h"
#include "lazyvol/error.h"

namespace lazyvol::cache {

/// Counters behind CacheStats; each is exact, together they are no snapshot.
struct Counters {
  std::atomic<std::uint64_t> hits{0}, misses{0}, stored_blocks{0}, evicted_bytes{0};
  std::atomic<std::uint64_t> corrupt_blocks{0}, bypassed_blocks{0};
};

/// Writes stop at the first failure of the disk and begin again after a probe succeeded, so that a
/// full or failing disk costs its readers nothing and the log one line per change. Thread-safe.
class Health {
 public:
  explicit Health(std::chrono::milliseconds probe_interval) : probe_interval_(probe_interval) {}

  bool writable() const { return writable_.load(std::memory_order_acquire); }
  /// Why writes are suspended; nullopt while they are not.
  std::optional<Error> reason() const;
  /// Suspends writes because of `error`.
  void suspend(const Error& error);
  /// True when writes are suspended and it is time to try again; the next answer of true is then
  /// probe_interval away.
  bool probe_due(base::Monotonic now);
  /// Lets writes go on.
  void resume();
  /// No write from now on, for good: the cache is being closed.
  void close();
  bool closed() const { return closed_.load(std::memory_order_acquire); }
  /// Counts a damaged block, and says so in the log (at most one line a second).
  void report_damage(Counters& counters, const std::string& what);

 private:
  struct State {
    std::optional<Error> reason;
    base::Monotonic next_probe;
    base::Monotonic last_damage;
    std::uint64_t unreported = 0;
  };
  const std::chrono::milliseconds probe_interval_;
  std::atomic<bool> writable_{true};
  std::atomic<bool> closed_{false};
  base::Locked<State> state_;
};

}  // namespace lazyvol::cache
