// What other threads ask of the transfer thread.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/locked.h"
#include "net/pending_request.h"

namespace lazyvol::net {

struct Command {
  enum class Kind { submit, cancel, resume };
  Kind kind = Kind::submit;
  std::uint64_t id = 0;
  std::unique_ptr<PendingRequest> request;  ///< for submit
};

/// A locked queue whose other end sleeps in curl_multi_poll(). Thread-safe. Shared, so that handles
/// of requests may outlive the engine.
class Mailbox {
 public:
  explicit Mailbox(CURLM* multi);

  /// Hands `command` over and wakes the transfer thread. When the mailbox is closed, answers false
  /// and leaves `command` as it was.
  bool post(Command& command);
  /// Wakes the transfer thread to see stopping().
  void request_stop();

  // For the transfer thread.
  std::vector<Command> take();
  bool stopping() const;
  /// Refuses what comes from now on and gives what was left. The CURLM may be freed after this.
  std::vector<Command> close();

 private:
  struct State {
    std::vector<Command> commands;
    CURLM* multi = nullptr;  ///< null once closed
    bool woken = false;      ///< since the last take()
    bool stopping = false;
  };
  static void wake(State& state);
  base::Locked<State> state_;
};

}  // namespace lazyvol::net
