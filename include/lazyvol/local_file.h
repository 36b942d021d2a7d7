// A file of the local disk that holds all bytes of a content.
#pragma once

#include <unistd.h>

#include <memory>
#include <utility>

namespace lazyvol {

/// While it lives, the bytes behind the descriptor are the content's, all of them, verified, and
/// stay where they are: nothing evicts them. Not thread-safe, but for its destruction.
class LocalFile {
 public:
  /// Owns `fd`, which is open for reading. `hold` is kept: its end lets the bytes go.
  LocalFile(int fd, std::shared_ptr<const void> hold) : fd_(fd), hold_(std::move(hold)) {}
  ~LocalFile() { close_fd(); }
  LocalFile(const LocalFile&) = delete;
  LocalFile& operator=(const LocalFile&) = delete;

  /// -1 after close_fd().
  int fd() const { return fd_; }
  /// For who has the file open in another way by now: the bytes stay held.
  void close_fd() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
  const std::shared_ptr<const void> hold_;
};

}  // namespace lazyvol
