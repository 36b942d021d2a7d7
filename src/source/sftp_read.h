// One read of a file on an SFTP server: many requests on their way at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/locked.h"
#include "base/timer.h"
#include "lazyvol/request.h"
#include "lazyvol/source.h"
#include "source/sftp_pool.h"
#include "source/sftp_tree.h"

namespace lazyvol::source {

/// Opens the file, compares its version, and asks for up to 4 MiB at once in pieces. After each
/// piece, and before it is handed on, the file's version is looked at again through the same
/// handle, so no byte of another version is delivered that the server's (mtime, size) can tell.
/// The sink is called on the connection's thread. A paused read asks for nothing more and keeps
/// what was on its way; others on the connection go on.
class SftpRead : public Transfer, public std::enable_shared_from_this<SftpRead> {
 public:
  /// Starts it; answers through `sink`. Thread-safe. `request.path` passed check_path(),
  /// `request.length` > 0.
  static std::shared_ptr<SftpRead> start(std::shared_ptr<SftpPool> pool,
                                         std::shared_ptr<const SftpRoot> root, ReadRequest request,
                                         std::shared_ptr<ReadSink> sink, const RequestContext& ctx,
                                         base::TimerQueue& timer);
  ~SftpRead() override { timer_.cancel(watch_.load()); }
  void resume() override;

 private:
  struct State {
    bool delivering = false;  // within a call to the sink
    bool resumed = false;     // resume() came while the sink was deciding to pause
    bool paused = false;
    bool done = false;           // on_done was called, or is being called
    std::optional<Error> abort;  // ends the read as soon as the sink returns
    base::Monotonic progress{};
    std::shared_ptr<SftpConnection> connection;
  };
  struct Piece {
    std::uint64_t offset = 0;
    std::uint32_t length = 0, got = 0;
    std::deque<SftpData> parts;     // short reads make several
    unsigned reads = 0, looks = 0;  // at the version; still to be answered
  };

  SftpRead(std::shared_ptr<const SftpRoot> root, ReadRequest request,
           std::shared_ptr<ReadSink> sink, const RequestContext& ctx, base::TimerQueue& timer);
  void begin(std::shared_ptr<SftpLease> lease);
  void seen(Result<SftpReply> reply);
  void opened(const SftpLease& lease, Result<SftpReply> reply);
  void look(const std::shared_ptr<Piece>& piece);
  void looked(const std::shared_ptr<Piece>& piece, Result<SftpReply> reply);
  void announce(std::uint64_t size);
  void ask();
  void ask_rest(const std::shared_ptr<Piece>& piece);
  void take(const std::shared_ptr<Piece>& piece, std::uint32_t asked, Result<SftpReply> reply);
  void deliver();
  bool call_sink(const std::function<Flow()>& call);
  bool touch();
  void fail(Error error);
  void finish(Status status);
  void release();
  void abort(Error error);
  void watch();
  SftpConnection& connection() const { return lease_->connection(); }

  const std::shared_ptr<const SftpRoot> root_;
  const ReadRequest request_;
  const std::shared_ptr<ReadSink> sink_;
  const std::stop_token stop_;
  const std::chrono::milliseconds no_progress_;
  base::TimerQueue& timer_;

  // Touched on the connection's thread only.
  std::shared_ptr<SftpLease> lease_;  // while there is anything to ask
  std::string handle_, version_;
  bool announced_ = false, over_ = false;
  std::uint64_t next_ = 0, end_ = 0;  // what is to be asked next, and until where
  std::uint64_t in_flight_ = 0;       // bytes asked for and not yet delivered
  std::deque<std::shared_ptr<Piece>> pieces_;

  base::Locked<State> state_;
  std::atomic<base::TimerQueue::Id> watch_{0};
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace lazyvol::source
