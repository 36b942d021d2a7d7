// Who asks, how urgently, and until when: carried by every request from the kernel to the origin.
#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>

namespace lazyvol {

/// Smaller is more urgent. A reader that waits goes before everything that nobody waits for.
enum class Priority : std::uint8_t {
  reader = 0,
  readahead = 1,
  metadata = 2,
  sibling = 3,
  hydrate = 4
};

/// Why bytes were asked for; for metrics and "why was this slow?".
enum class Cause : std::uint8_t { read, readahead, lookup, list, open, prefetch, refresh, check };

/// Plain value, copied freely. `stop` ends the request early with Code::cancelled.
struct RequestContext {
  Priority priority = Priority::reader;
  Cause cause = Cause::read;
  std::uint32_t pid = 0;                          ///< the process that waits, 0 = none
  std::chrono::milliseconds no_progress{10'000};  ///< give up after this long without progress
  std::stop_token stop{};
};

}  // namespace lazyvol
