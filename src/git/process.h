// A child process of ours and the pipes to it: git, and what git starts.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lazyvol/error.h"
#include "source/dir_root.h"

namespace lazyvol::git {

/// A program and what it is given. No shell is involved.
struct Command {
  std::vector<std::string> argv;  ///< argv[0] is looked up in $PATH
  /// Added to this process's environment, of which the variables that lead git elsewhere (GIT_DIR,
  /// GIT_TRACE, …) are taken away.
  std::vector<std::pair<std::string, std::string>> environment{};
};

/// When to give a child up.
struct Patience {
  std::chrono::milliseconds no_progress{10'000};  ///< without a sign of life
  std::stop_token stop{};
  /// Told of each byte that comes or goes, also of what is said about progress; may be empty.
  std::function<void()> on_progress{};
  /// A number that changes while the child works without a word, as the size of a file that it
  /// writes; looked at a few times a second. May be empty.
  std::function<std::uint64_t()> silent_work{};
};

/// A running program with pipes to its input, output and errors. It leads a process group of its
/// own, which is killed with this object. Calls block. Thread rule: one thread at a time.
class Process {
 public:
  /// Errors: io_error when it cannot be run.
  static Result<std::unique_ptr<Process>> start(const Command& command, Patience patience);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Bytes for its input. They go while receive() waits, so that neither side waits for the other.
  void send(std::string_view bytes) { unsent_.append(bytes); }
  /// Closes its input once all is sent.
  void end_input() { ending_ = true; }
  /// Waits for output: how many bytes of `room` came, 0 at the end. Errors: timed_out, cancelled,
  /// io_error.
  Result<std::size_t> receive(std::span<char> room);
  /// Exactly that many bytes. Errors: receive()'s, and io_error when the output ends before.
  Result<std::string> receive_exactly(std::size_t count);
  /// Up to `end`, which is taken off; io_error when a line is longer than `most`.
  Result<std::string> receive_line(char end, std::size_t most);
  /// Ends its input, drops the rest of its output, waits. The exit status; 128 + the signal.
  Result<int> finish();
  /// The last bytes that it wrote to its errors.
  const std::string& errors() const { return errors_; }
  void set_patience(Patience patience) { patience_ = std::move(patience); }

 private:
  Process(pid_t pid, source::Fd input, source::Fd output, source::Fd errors, Patience patience);
  Result<std::size_t> wait_and_read(std::span<char> room);
  void push_input();
  void take_errors();
  void progressed();
  void look_at_silent_work();
  Status check_patience();

  pid_t pid_;
  source::Fd input_, output_, errors_fd_;
  Patience patience_;
  std::chrono::steady_clock::time_point progress_, looked_;
  std::uint64_t silent_work_ = 0;
  std::string unsent_, received_, errors_;
  std::size_t received_at_ = 0;
  bool ending_ = false;
};

/// What a command that ran to its end left.
struct Finished {
  int status = 0;
  std::string output;
  std::string errors;  ///< the last bytes of them
};

/// Runs `command` with `input` to its end. With `on_output` the output goes there, piece by piece,
/// and an error that it returns ends the run; else up to `most` bytes of it are kept. Errors:
/// Process's, too_large. Thread-safe.
Result<Finished> run(const Command& command, std::string_view input, const Patience& patience,
                     std::size_t most,
                     const std::function<Status(std::string_view)>& on_output = {});

}  // namespace lazyvol::git
