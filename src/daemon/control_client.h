// The caller's side of the control API: one request per call over the unix socket of one daemon.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "lazyvol/error.h"

namespace lazyvol::daemon {

using ControlJson = nlohmann::ordered_json;

/// Plain value; every call makes its own connection. Not for several threads at once.
class ControlClient {
 public:
  explicit ControlClient(std::filesystem::path socket) : socket_(std::move(socket)) {}
  const std::filesystem::path& socket() const { return socket_; }

  /// `timeout` 0 waits for ever. Errors: unreachable (nobody listens), timed_out, access_denied,
  /// what the daemon answered, io_error when the answer makes no sense.
  Result<ControlJson> get(const std::string& path, std::chrono::milliseconds timeout) const;
  Result<ControlJson> post(const std::string& path, const ControlJson& body,
                           std::chrono::milliseconds timeout) const;
  /// Calls `line` for each JSON object of a streamed answer; waits as long as it takes. Ends early
  /// when the process is killed: the daemon then sees the connection close. The last line is
  /// answered.
  Result<ControlJson> post_lines(const std::string& path, const ControlJson& body,
                                 const std::function<void(const ControlJson&)>& line) const;

  /// GET /v1/status.
  Result<ControlJson> status() const;

 private:
  Result<std::string> call(const std::string& path, const std::string* body,
                           std::chrono::milliseconds timeout,
                           const std::function<void(std::string_view)>& on_line) const;
  std::filesystem::path socket_;
};

/// One daemon that answers.
struct LiveDaemon {
  ControlClient client;
  ControlJson status;
};

/// The daemons with a socket in `runtime` that answer; the sockets of dead ones are passed over.
std::vector<LiveDaemon> find_daemons(const std::filesystem::path& runtime);

/// The daemon that serves `mountpoint`. Errors: not_found.
Result<LiveDaemon> find_daemon_of_mount(const std::filesystem::path& runtime,
                                        const std::string& mountpoint);

/// The number, text or flag at a JSON pointer ("/cache/bytes"); 0, "" or false when it is not
/// there.
std::uint64_t json_number(const ControlJson& json, const char* pointer);
std::string json_text(const ControlJson& json, const char* pointer);
bool json_flag(const ControlJson& json, const char* pointer);
/// The array at a JSON pointer, empty when it is not there.
const ControlJson& json_array(const ControlJson& json, const char* pointer);

}  // namespace lazyvol::daemon
