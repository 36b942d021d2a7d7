// Lets the kernel read files of the local disk by itself for open files of one mount.
//
// Source: the kernel's Documentation/filesystems/fuse-passthrough.rst (since Linux 6.9).
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/locked.h"
#include "fuse/lowlevel.h"
#include "lazyvol/error.h"

namespace lazyvol::fuse {

/// One connection's passthrough. Off until the kernel agreed; off for good after the first refusal
/// that is not of one file. Thread-safe but for attach().
class Passthrough {
 public:
  /// Not `wanted`: never on.
  explicit Passthrough(bool wanted);

  /// Gives libfuse the connection, which is the session's from then on. Call once. Errors:
  /// unsupported.
  Status attach(fuse_session* session, int fd);
  /// To be called by the INIT operation, for libfuse from 3.17 on; before, the session's hooks
  /// change the answer.
  void negotiate(fuse_conn_info& connection);

  /// Registers an open file. Answers with its number (> 0), or 0: it is to be served as others are.
  int add(int fd);
  /// Files that are open already stay so.
  void remove(int id);

  bool on() const { return on_.load(std::memory_order_relaxed); }
  /// Why not; empty while it is on.
  std::string reason() const { return *reason_.lock(); }

  // For the session's hooks, which listen to INIT.
  ssize_t read(int fd, void* buffer, std::size_t size);
  ssize_t write(int fd, const iovec* parts, int count);

 private:
  void turn_off(std::string why);
  ssize_t answer_init(int fd, const iovec* parts, int count);

  const bool wanted_;
  int fd_ = -1;  // the session's; constant after attach()
  std::atomic<bool> on_{false};
  std::atomic<bool> agreed_{false};     // INIT was answered: nothing to listen for any more
  std::atomic<std::uint64_t> init_{0};  // the number of the INIT request, when it offers it
  base::Locked<std::string> reason_;
};

}  // namespace lazyvol::fuse
