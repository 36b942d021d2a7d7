// HTTP over a unix socket: who may call, how much they may send, answers whole or line by line.
//
// Source of behaviour: libmicrohttpd 0.9.75 (external listen socket, one thread per connection).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/locked.h"
#include "lazyvol/error.h"

namespace lazyvol::daemon {

inline constexpr std::size_t kMaxControlBody = 64 * 1024;
inline constexpr unsigned kMaxControlConnections = 64;

struct ControlRequest {
  std::string method;    ///< "GET", "POST"
  std::string path;      ///< decoded, without the query
  std::string body;      ///< at most kMaxControlBody bytes
  std::stop_token stop;  ///< requested when the server stops
};

/// An answer that grows: JSON lines from any thread to one client. Holds one progress line at most
/// (a slow client sees fewer), so it never grows. Thread-safe.
class LineStream {
 public:
  /// Offers a progress line; replaces one that was not sent yet.
  void progress(std::string line);
  /// The last line; nothing comes after it.
  void finish(std::string line);
  /// Requested when the client has gone or the server stops: the producer then ends soon.
  std::stop_token stop_token() const { return stop_.get_token(); }
  void request_stop() { stop_.request_stop(); }

  /// The next bytes to send, waiting up to `wait` for one; an empty line ("\n") when nothing came,
  /// so that a client that has gone is noticed. nullopt at the end.
  std::optional<std::string> next(std::chrono::milliseconds wait);

 private:
  struct State {
    std::string progress, last;
    bool finished = false, drained = false;
  };
  std::stop_source stop_;
  base::Locked<State> state_;
  std::condition_variable wake_;
};

struct ControlResponse {
  unsigned status = 200;
  std::string body;                      ///< JSON
  std::shared_ptr<LineStream> stream{};  ///< when set, instead of the body
};

/// Called on the connection's own thread; may block. Must not throw.
using ControlHandler = std::function<ControlResponse(const ControlRequest&)>;

/// Listens while it lives. Only the daemon's own user and root are answered (SO_PEERCRED); others
/// get 403. A body above kMaxControlBody gets 413.
class ControlServer {
 public:
  /// Binds `socket` (mode 0600), replacing what a dead daemon left there: the caller already holds
  /// the cache directory, so nobody else can be alive behind it. Errors: those of bind(2),
  /// io_error.
  static Result<std::unique_ptr<ControlServer>> start(const std::filesystem::path& socket,
                                                      ControlHandler handler);
  /// As stop().
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// Removes the socket, ends streams, waits for handlers. Idempotent; not from a handler.
  void stop();

 private:
  struct Impl;
  explicit ControlServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// {"error":{"code":…,"message":…}}, with the HTTP status that fits the code.
ControlResponse error_response(const Error& error);

}  // namespace lazyvol::daemon
