// Lets what nobody waits for make way for those who wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/locked.h"
#include "lazyvol/request.h"

namespace lazyvol::fetch {

/// One for the process: a hydrate of one mount makes way for the readers of all. Requests at
/// Priority::hydrate are background; those at reader and readahead are foreground; others are
/// neither. Thread-safe.
///
/// While requests of readers are under way or ended less than kPause ago, a short background
/// request is let through now and then, so that it does not stand still; for kQuiet after that a
/// few short ones at a time; then all that may. (bench/hydrate.py)
class BackgroundGate : public std::enable_shared_from_this<BackgroundGate> {
 public:
  static constexpr std::chrono::milliseconds kPause{50}, kQuiet{1'000}, kTrickle{250};
  static constexpr std::uint32_t kFew = 2;
  static constexpr std::uint64_t kShortBytes = 1 << 20;

  struct Traffic {
    std::uint32_t foreground = 0, background = 0;  ///< requests under way
    base::Monotonic foreground_seen{};             ///< the last one ended
    base::Monotonic background_begun{};            ///< the last one began
  };
  struct Allowance {
    bool start = false;
    std::uint64_t most_bytes = 0;  ///< of the request
    base::Monotonic again{};       ///< when to ask again, if not
  };
  /// Whether a background request may start beside `traffic`, of which `most` may be under way.
  /// Pure.
  static Allowance allowance(const Traffic& traffic, base::Monotonic now, std::uint32_t most,
                             std::uint64_t most_bytes);
  Allowance allowance(base::Monotonic now, std::uint32_t most, std::uint64_t most_bytes) const;

  /// Held while a request is under way.
  class Token {
   public:
    Token(std::shared_ptr<BackgroundGate> gate, bool background)
        : gate_(std::move(gate)), background_(background) {}
    ~Token() { gate_->leave(background_); }
    Token(const Token&) = delete;
    Token& operator=(const Token&) = delete;

   private:
    const std::shared_ptr<BackgroundGate> gate_;
    const bool background_;
  };
  /// Null for what is neither.
  std::unique_ptr<Token> enter(Priority priority, base::Monotonic now);

 private:
  void leave(bool background);

  base::Locked<Traffic> traffic_;
};

}  // namespace lazyvol::fetch
