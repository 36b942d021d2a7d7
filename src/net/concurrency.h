// How many connections to one server are worth having: learnt from what it delivers.
//
// Pure policy: the caller brings the time. Thread rule: one owner.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace lazyvol::net {

/// Additive increase, multiplicative decrease (RFC 5681 gives the principle), on what the server
/// delivers instead of on lost segments: the limit grows while a wider one brings more, goes back
/// to the one before when it does not, and is halved when the server says that it is too much. It
/// doubles until the first step that brings nothing (a "slow start"), and grows by a quarter from
/// then on. A step is tried when requests wait for a connection only: who asks for little learns
/// nothing. After a minute without requests it begins anew.
class Concurrency {
 public:
  struct Bounds {
    std::uint32_t first = 16, most = 64;  ///< both at least 1
  };
  /// One request that ended.
  struct Outcome {
    base::Monotonic started{}, ended{};
    std::uint64_t bytes = 0;
    bool overloaded = false;   ///< 429, 503, or no answer in time
    bool others_wait = false;  ///< for a connection to this server
  };

  explicit Concurrency(const Bounds& bounds);

  std::uint32_t limit() const { return limit_; }
  void finished(const Outcome& outcome);

 private:
  void begin_epoch(base::Monotonic now);
  void judge(double rate);
  void widen(double rate);
  void back_off(const Outcome& outcome);

  Bounds bounds_;
  std::uint32_t limit_;
  // The epoch: what was delivered since, within this limit.
  base::Monotonic since_{}, last_{};
  double work_ = 0;
  std::uint32_t requests_ = 0, crowded_ = 0;
  // The step that is being tried.
  bool trying_ = false, doubling_ = true;
  std::uint32_t proven_ = 0;    ///< the limit before it
  double proven_rate_ = 0;      ///< and what came then
  std::uint32_t rest_ = 0;      ///< epochs before the next step
  std::uint32_t refusals_ = 0;  ///< steps in a row that brought nothing
  base::Monotonic backed_off_{};
};

}  // namespace lazyvol::net
