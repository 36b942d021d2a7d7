// One authenticated SSH connection with an open SFTP channel, on one thread, by libssh.
//
// Library: libssh 0.10 in its non-blocking mode; its SFTP layer is not used, because it waits for
// each answer before the next request (docs/decisions/0012-libssh.md).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lazyvol/error.h"
#include "net/http_engine.h"
#include "source/wakeup.h"

namespace lazyvol::source {

/// Whom to connect to. Immutable.
struct SshTarget {
  std::string host;  ///< a name, an address, or a Host of ssh_config(5)
  std::optional<std::uint16_t> port;
  std::string user;     ///< empty: as the credentials, ssh_config or this process's user say
  std::string ssh_dir;  ///< in place of ~/.ssh; empty = that
};

/// Not thread-safe: made, used and destroyed on one thread.
class SshSession {
 public:
  /// Connects, checks the host key, logs in, opens the channel. Blocks until then, until nothing
  /// came for `patience`, or until `wakeup` is asked to stop. The order of ssh(1): the credentials'
  /// private key if one is given, else the agent and the identities; then a password, if one is
  /// given. Errors: access_denied (unknown or changed host key, refused login, unusable key; one
  /// line that names the fix), unreachable, timed_out, cancelled, unsupported (no common
  /// algorithm), invalid_argument (broken ssh_config). No message shows a secret.
  static Result<std::unique_ptr<SshSession>> open(const SshTarget& target,
                                                  const net::HttpIdentity& identity,
                                                  std::chrono::milliseconds patience,
                                                  Wakeup& wakeup);
  ~SshSession();

  /// Takes what the channel has, at most `buffer`; 0 when there is nothing more now. Errors:
  /// unreachable when the connection has ended. `buffer` holds kWindow bytes or more.
  Result<std::size_t> read(std::span<std::byte> buffer);
  /// Hands over as much of `bytes` as the connection takes now; answers with how much that was.
  Result<std::size_t> write(std::string_view bytes);
  /// Makes the server answer something, however busy its SFTP process is.
  void probe();

  /// For poll(2), -1 once closed; with POLLOUT when wants_write().
  int fd() const;
  bool wants_write() const;
  /// Bytes that have come from the network, to tell silence from slowness.
  std::uint64_t received() const;

  /// What the server may send ahead of our reading. libssh's own 1.2 MiB would hold a connection
  /// of 20 ms to 60 MiB/s.
  static constexpr std::uint32_t kWindow = 4 << 20;

 private:
  struct Impl;
  explicit SshSession(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lazyvol::source
