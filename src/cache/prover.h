// Verifies whole objects ahead of loans, in the background.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "base/locked.h"

namespace lazyvol::cache {

class ObjectContent;

/// Owns the thread "lv-prove", which begins with the first object. One object at a time, and never
/// more than half of the time: readers have the disk first. Thread-safe.
class Prover {
 public:
  Prover() = default;
  ~Prover() { stop(); }
  Prover(const Prover&) = delete;
  Prover& operator=(const Prover&) = delete;

  /// Queues an object, once; keeps it until it is proved, or found to be not whole. One whose last
  /// blocks are not yet on the disk is tried again a few times.
  void add(std::shared_ptr<ObjectContent> content);
  /// Ends the thread and lets go of what is queued. Idempotent; not from the thread itself.
  void stop();

 private:
  struct Item {
    std::shared_ptr<ObjectContent> content;
    int tries = 0;
    base::Monotonic due{};
  };
  struct State {
    std::deque<Item> queue;
    std::shared_ptr<ObjectContent> current;
    bool stopping = false;
    std::thread thread;
  };
  void run();
  bool pause(base::Monotonic since);

  base::Locked<State> state_;
  std::condition_variable wake_;
};

}  // namespace lazyvol::cache
