// SIGINT and SIGTERM as a stop token, for commands that take long and end in order.
#pragma once

#include <signal.h>

#include <atomic>
#include <stop_token>
#include <thread>

namespace lazyvol::daemon {

/// While it lives, the two signals request a stop; a second one ends the process at once, which all
/// commands survive by design. Make it before other threads, so that none of them takes the
/// signals. At most one at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  std::stop_token token() const { return stop_.get_token(); }
  /// 130 after SIGINT, 143 after SIGTERM; 0 when neither came.
  int exit_status() const;

 private:
  void watch();

  std::stop_source stop_;
  std::atomic<int> signal_{0};
  int signals_ = -1;  // signalfd
  int end_ = -1;      // eventfd
  sigset_t before_;
  std::thread thread_;
};

}  // namespace lazyvol::daemon
