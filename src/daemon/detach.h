// A process that puts itself into the background and says whether it came up.
#pragma once

#include <functional>
#include <string>

#include "lazyvol/error.h"

namespace lazyvol::daemon {

/// The way back to the waiting parent. Only in the child; may be used once.
class StartReport {
 public:
  explicit StartReport(int pipe_fd) : fd_(pipe_fd) {}
  ~StartReport();
  StartReport(const StartReport&) = delete;
  StartReport& operator=(const StartReport&) = delete;
  /// The daemon answers: the parent exits with 0.
  void ready();
  /// The parent prints `message` and exits with `status`.
  void failed(const std::string& message, int status);

 private:
  int fd_;
};

/// Forks; the child gets a session of its own, / as working directory and /dev/null as stdin and
/// stdout, runs `body` and ends with its answer. The parent waits for the report and answers with
/// the exit status and the message to print (empty for success). A child that dies without a word
/// is a failure. Call it before any thread exists; returns in the parent only.
struct DetachResult {
  int status = 0;
  std::string message;
};
DetachResult detach(const std::function<int(StartReport&)>& body);

}  // namespace lazyvol::daemon
