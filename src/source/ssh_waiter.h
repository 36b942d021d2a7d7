// Waiting for a non-blocking libssh session.
#pragma once

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "lazyvol/error.h"
#include "source/wakeup.h"

namespace lazyvol::source {

struct FreeSsh {
  void operator()(ssh_session session) const {
    ssh_silent_disconnect(session);  // closes the socket, also one that we connected
    ssh_free(session);
  }
  void operator()(ssh_key key) const { ssh_key_free(key); }
  void operator()(char* text) const { ssh_string_free_char(text); }
};
using SshHandle = std::unique_ptr<ssh_session_struct, FreeSsh>;
using SshKey = std::unique_ptr<ssh_key_struct, FreeSsh>;
using SshText = std::unique_ptr<char, FreeSsh>;

/// Drives calls that answer "again" to their end. One thread.
class SshWaiter {
 public:
  SshWaiter(ssh_session session, const ssh_counter_struct& received,
            std::chrono::milliseconds patience, Wakeup& wakeup)
      : session_(session), received_(received), patience_(patience), wakeup_(wakeup) {}

  /// Calls `call` until it answers something other than `again`. Errors: timed_out when nothing
  /// came from the network for as long as patience lasts, cancelled.
  template <class Call>
  Result<int> complete(Call call, int again) {
    progress_ = base::system_clock().now();
    for (;;) {
      const int answer = call();
      if (answer != again) return answer;
      LAZYVOL_TRY(wait());
    }
  }

  /// The session's last error in one line of printable text.
  std::string last_error() const;

 private:
  Status wait();

  const ssh_session session_;
  const ssh_counter_struct& received_;
  const std::chrono::milliseconds patience_;
  Wakeup& wakeup_;
  std::uint64_t seen_ = 0;
  base::Monotonic progress_{};
};

}  // namespace lazyvol::source
