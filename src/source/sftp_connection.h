// One connection to an SFTP server and the thread that drives it.
//
// Thread: "lv-sftp-i", one for each connection. It blocks in poll(2), in name resolution, and while
// it logs in.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/locked.h"
#include "lazyvol/error.h"
#include "net/credentials.h"
#include "source/sftp_wire.h"
#include "source/ssh_session.h"
#include "source/wakeup.h"

namespace lazyvol::source {

/// Any number of requests are on their way at once; each reply finds its handler by its id. A
/// connection that is silent while it owes replies is probed after a quarter of `io_timeout`, and
/// given up after half of it: a server that is merely busy answers the probe. One whose SFTP
/// process answers nothing for `io_timeout` is given up as well.
class SftpConnection : public std::enable_shared_from_this<SftpConnection> {
 public:
  using Task = std::function<void()>;
  using OnReply = std::function<void(Result<SftpReply>)>;

  struct Settings {
    SshTarget target;
    std::shared_ptr<net::Credentials> credentials;
    std::chrono::milliseconds io_timeout{10'000};
    std::chrono::milliseconds idle_timeout{60'000};
  };
  /// Called on the connection's thread, with no lock held.
  struct Events {
    std::function<void()> opened;
    /// Once, before those who wait are told: why it ends; nullopt when may_close said so.
    std::function<void(std::optional<Error>)> ended;
    /// Asked when nothing was going on for idle_timeout; true ends the connection.
    std::function<bool()> may_close;
  };

  explicit SftpConnection(const Settings& settings) : settings_(settings) {}

  /// The thread's body: logs in, serves until it ends.
  void run(const Events& events);

  /// Runs `task` on the thread, soon. Thread-safe. False (and `task` is dropped) once ended.
  bool post(Task task);
  /// Ends it soon. Thread-safe.
  void stop() { wakeup_.stop(); }

  // For tasks, on the connection's thread.

  /// Sends a request; `on_reply` comes exactly once on this thread: the reply, or why none will
  /// come (unreachable, cancelled), then possibly inline.
  void path_request(SftpType type, std::string_view path, OnReply on_reply);
  void handle_request(SftpType type, std::string_view handle, OnReply on_reply);
  void read_request(std::string_view handle, std::uint64_t offset, std::uint32_t length,
                    OnReply on_reply);
  /// Closes a handle; nobody waits for it.
  void close_handle(std::string_view handle);

  /// Ends the connection soon, because the server's end of it is of no more use.
  void retire(const char* why) { retired_ = Error{Code::unreachable, why}; }

  /// How much to ask for in one read: what the server grants, by its own word or as seen.
  std::uint32_t read_size() const { return read_size_; }
  /// A read of `asked` bytes within the file brought `got`.
  void note_short_read(std::uint32_t got);

 private:
  Status log_in();
  Status hello();
  Status turns(const Events& events, const std::function<bool()>& enough);
  Status turn();
  Status sleep();
  Status flush();
  Status take_in();
  Status dispatch(std::vector<std::byte> packet);
  Status watch_silence();
  void run_tasks();
  void end(const Error& why);
  std::uint32_t add_handler(OnReply on_reply);
  std::chrono::milliseconds until_next_look() const;

  struct Mailbox {
    std::vector<Task> tasks;
    bool closed = false;
  };

  const Settings settings_;
  Wakeup wakeup_;
  base::Locked<Mailbox> mailbox_;

  // The thread's own.
  std::unique_ptr<SshSession> session_;
  std::unique_ptr<std::byte[]> buffer_;
  SftpPackets packets_;
  std::string out_;  // requests not yet handed to the session
  std::unordered_map<std::uint32_t, OnReply> handlers_;
  std::uint32_t next_id_ = 1;
  std::uint32_t read_size_ = kSafeSftpRead;
  std::optional<Error> ended_, retired_;
  std::optional<SftpVersion> version_;
  base::Monotonic heard_{};    // when something came last, or was first owed
  base::Monotonic replied_{};  // the same of replies
  base::Monotonic used_{};     // when something was last asked
  std::uint64_t heard_bytes_ = 0;
  bool probed_ = false;
  bool more_ = false;  // there may be more to take in at once
};

}  // namespace lazyvol::source
