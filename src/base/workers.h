// A bounded set of named threads that run tasks in order of arrival.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/locked.h"

namespace lazyvol::base {

/// Runs tasks on `threads` threads named "NAME-i" (15 characters show in ps).
///
/// The queue is unbounded on purpose: whoever submits holds a budget (memory or requests in flight)
/// for the task, so that nobody ever blocks pushing into a queue that its own pool drains.
/// Destruction runs what is queued, then joins.
class Workers {
 public:
  Workers(std::string name, std::size_t threads);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// Thread-safe. Returns false (and drops the task) once stop() was called.
  bool submit(std::function<void()> task);
  /// Refuses new tasks, runs those queued, joins. Idempotent; not from a task.
  void stop();
  /// Tasks waiting, for metrics.
  std::size_t queued() const;

 private:
  struct State {
    std::deque<std::function<void()>> tasks;
    bool stopping = false;
  };
  void run(const std::string& name);

  Locked<State> state_;
  std::condition_variable wake_;
  std::vector<std::thread> threads_;  // touched by the owner only
};

/// Names the calling thread (cut to 15 characters), as ps and gdb show it.
void name_this_thread(const std::string& name);

}  // namespace lazyvol::base
