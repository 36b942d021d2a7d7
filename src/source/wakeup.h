// Ends another thread's poll(2).
#pragma once

#include <atomic>

namespace lazyvol::source {

/// An eventfd and a wish to stop. Thread-safe.
class Wakeup {
 public:
  Wakeup();
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  /// Readable from a signal() until the next drain().
  int fd() const { return fd_; }
  void signal();
  void drain();

  /// Asks the thread to come to an end; fd() stays readable from then on.
  void stop();
  bool stopping() const { return stopping_.load(); }

 private:
  const int fd_;
  std::atomic<bool> stopping_{false};
};

}  // namespace lazyvol::source
