// A share of a pool of workers: one that gets stuck does not stop the others.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>

#include "base/locked.h"
#include "base/workers.h"

namespace lazyvol::source {

/// Runs at most so many tasks at once on the pool; the rest wait here, in order. For calls that may
/// never return (a dead NFS server): they hold the share and not the pool. Thread-safe.
class Lane : public std::enable_shared_from_this<Lane> {
 public:
  /// `workers` must outlive what is submitted.
  Lane(base::Workers& workers, std::size_t share) : workers_(workers), share_(share) {}

  /// As Workers::submit(). Whoever submits holds a budget for the task.
  bool submit(std::function<void()> task);

 private:
  struct State {
    std::size_t running = 0;
    std::deque<std::function<void()>> waiting;
  };
  bool start(std::function<void()> task);
  void finished();

  base::Workers& workers_;
  const std::size_t share_;
  base::Locked<State> state_;
};

}  // namespace lazyvol::source
