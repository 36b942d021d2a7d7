// The figures behind FetchStats, as atomics that outlive the engine's lock.
#pragma once

#include <atomic>
#include <cstdint>

namespace lazyvol::fetch {

/// Relaxed everywhere: they are read for people, and by tests after everything has come to rest.
struct Counters {
  using Value = std::atomic<std::uint64_t>;
  Value reads{0}, bytes_read{0}, hit_bytes{0};
  Value requests{0}, bytes_fetched{0};
  Value retries{0}, failures{0}, stale{0}, cancelled{0}, whole_fetches{0};
  Value readahead_bytes{0}, unstored_blocks{0};
  Value in_flight_requests{0}, waiting_reads{0};  // gauges

  static void add(Value& value, std::uint64_t amount = 1) {
    value.fetch_add(amount, std::memory_order_relaxed);
  }
  static void sub(Value& value, std::uint64_t amount = 1) {
    value.fetch_sub(amount, std::memory_order_relaxed);
  }
};

/// The same behind FrameStats.
struct FrameCounters {
  using Value = Counters::Value;
  Value memory_hits{0}, disk_hits{0}, frames{0}, pages{0};
  Value requests{0}, bytes_fetched{0};
  Value corrupt{0}, missing_packs{0}, retries{0}, failovers{0}, failures{0}, cancelled{0};
  Value unstored{0};
  Value in_flight_requests{0}, waiting{0};  // gauges
};

}  // namespace lazyvol::fetch
