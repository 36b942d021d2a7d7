// A child process of a test, and ports for it to listen on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace lazyvol::testing {

/// A child that is stopped and reaped with this object, and gets SIGTERM from the kernel when the
/// thread that started it ends: start it from a thread that lives as long. Not thread-safe.
class Process {
 public:
  struct Spec {
    std::vector<std::string> argv;                                 ///< no shell
    std::vector<std::pair<std::string, std::string>> environment;  ///< added to the test's own
    std::filesystem::path log;                                     ///< stdout and stderr, appended
  };

  Process() = default;
  explicit Process(const Spec& spec);
  ~Process();
  Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Process& operator=(Process&& other) noexcept;

  /// -1 once it is reaped: no number to give to kill(2), which would take it for everyone.
  pid_t pid() const { return pid_; }
  /// False once it ended (it is reaped then).
  bool running();
  /// SIGTERM, SIGKILL after ten seconds; returns when it is reaped. Idempotent.
  void stop();
  /// SIGKILL, and reaps it. False: it had ended by itself, and nothing was signalled.
  bool kill();

 private:
  pid_t pid_ = -1;
};

/// A TCP port below the ephemeral range that nothing listens on, reserved among the test programs
/// of this machine until this process ends.
std::uint16_t reserve_port();

/// True when 127.0.0.1:port accepts a connection.
bool accepts(std::uint16_t port);

/// Starts a server and waits until its port accepts. Ends the test program with the server's log
/// when it does not come up.
Process start_server(const Process::Spec& spec, std::uint16_t port);

/// Waits until `ready`, looking every few milliseconds; false after ten seconds.
bool await(const std::function<bool()>& ready);

/// Prints the end of a server's log when the running test has failed.
void print_log_on_failure(const std::filesystem::path& log);

}  // namespace lazyvol::testing
