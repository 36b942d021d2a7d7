// A loop whose steps may answer inline or later, without recursion.
#pragma once

#include <atomic>

namespace lazyvol::volume {

/// Of the one who asked and the one who answers, who comes second goes on with the loop:
///
///   for (;;) { turn.begin(); ask([self] { if (self->turn.second()) self->loop(); });
///              if (!turn.second()) return; }
class Turn {
 public:
  void begin() { met_.store(false, std::memory_order_relaxed); }
  bool second() { return met_.exchange(true, std::memory_order_acq_rel); }

 private:
  std::atomic<bool> met_{false};
};

}  // namespace lazyvol::volume
