// Runs short tasks later, on one thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/locked.h"

namespace lazyvol::base {

/// A queue of tasks ordered by when they are due. Tasks run on the timer's own thread and must not
/// block: hand real work to Workers. Destruction drops what is not yet due and joins.
class TimerQueue {
 public:
  using Id = std::uint64_t;

  TimerQueue();
  ~TimerQueue();
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  /// Runs `task` once, `delay` from now or a little later. Thread-safe, also from a task.
  Id after(std::chrono::milliseconds delay, std::function<void()> task);
  /// True when the task was still waiting and will never run. False when it ran, runs now, or was
  /// cancelled before. Does not wait for a running task. Thread-safe.
  bool cancel(Id id);
  /// Drops what waits and joins. Idempotent; not from a task.
  void stop();

 private:
  struct State {
    std::map<std::pair<Monotonic, Id>, std::function<void()>> due;
    std::map<Id, Monotonic> when;
    Id next = 1;
    bool stopping = false;
  };
  void run();

  Locked<State> state_;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace lazyvol::base
