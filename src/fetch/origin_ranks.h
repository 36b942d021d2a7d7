// Which of several origins to ask: the preferred one, unless it lately failed.
//
// Pure policy: the caller brings the time. Thread rule: not thread-safe, guarded by its owner.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace lazyvol::fetch {

/// Origins as the bits of a set.
using OriginSet = std::uint32_t;
inline constexpr std::size_t kMaxOrigins = 32;

/// The origins in order of preference. One that failed (no answer, no such pack, other bytes) is
/// demoted for a time that doubles with each failure; it is then asked only when no other is left.
/// After that time one request at a time probes it, until one succeeds.
class OriginRanks {
 public:
  explicit OriginRanks(std::size_t count) : origins_(count) {}

  std::size_t size() const { return origins_.size(); }
  OriginSet all() const {
    return static_cast<OriginSet>((std::uint64_t{1} << origins_.size()) - 1);
  }

  struct Choice {
    std::size_t origin = 0;
    /// It was demoted, and another one would be there: not worth waiting for long. The caller calls
    /// probing() when it asks, and probed() when the answer came.
    bool probe = false;
  };
  /// The best origin that is not in `tried`; nothing when all are.
  std::optional<Choice> choose(OriginSet tried, base::Monotonic now) const;

  void probing(std::size_t origin) { origins_[origin].probing = true; }
  void probed(std::size_t origin) { origins_[origin].probing = false; }
  /// `at_least`: what the origin itself asked for (Retry-After).
  void failed(std::size_t origin, base::Monotonic now,
              std::optional<std::chrono::milliseconds> at_least = std::nullopt);
  /// Good bytes came. Those of a request made before a demotion do not end it.
  void succeeded(std::size_t origin, base::Monotonic asked, base::Monotonic now);
  /// Whether there is another one that is not demoted.
  bool has_alternative(std::size_t origin) const;
  bool demoted(std::size_t origin) const { return origins_[origin].demoted; }

 private:
  struct Origin {
    bool demoted = false, probing = false;
    std::uint32_t failures = 0;
    base::Monotonic since{};  ///< of the last failure
    base::Monotonic until{};  ///< not to be probed before
  };
  std::vector<Origin> origins_;
};

}  // namespace lazyvol::fetch
