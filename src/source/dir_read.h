// One read of a local file, piece by piece on the blocking pool.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "base/clock.h"
#include "base/locked.h"
#include "base/timer.h"
#include "lazyvol/request.h"
#include "lazyvol/source.h"
#include "source/dir_root.h"
#include "source/lane.h"

namespace lazyvol::source {

/// Reads in pieces of up to 1 MiB. After each piece, and before it is handed on, the file's version
/// is compared again, so no byte of another version is ever delivered (the kernel stamps mtime
/// before it copies what is written). A paused read holds no thread. A read whose thread is stuck
/// in the kernel still ends by deadline or stop token; the thread comes back when the kernel lets
/// it.
class DirRead : public Transfer, public std::enable_shared_from_this<DirRead> {
 public:
  /// Starts it; answers through `sink`.
  static std::shared_ptr<DirRead> start(std::shared_ptr<const DirRoot> root, ReadRequest request,
                                        std::shared_ptr<ReadSink> sink, const RequestContext& ctx,
                                        base::TimerQueue& timer, std::shared_ptr<Lane> lane);
  void resume() override;

 private:
  struct State {
    bool on_thread = false;      // a worker runs, or is about to
    bool delivering = false;     // within a call to the sink
    bool resumed = false;        // resume() came while the sink was deciding to pause
    bool done = false;           // on_done was called, or is being called
    std::optional<Error> abort;  // ends the read as soon as the sink returns
    base::Monotonic progress{};
  };

  DirRead(std::shared_ptr<const DirRoot> root, ReadRequest request, std::shared_ptr<ReadSink> sink,
          const RequestContext& ctx, base::TimerQueue& timer, std::shared_ptr<Lane> lane);
  void submit();
  void run();
  Status open();
  Status read_pieces(bool& paused);
  Status read_piece(std::byte* buffer, std::size_t& length);
  Result<bool> deliver(const std::function<Flow()>& call);
  void abort(Error error);
  void finish(Status status);
  void watch();

  const std::shared_ptr<const DirRoot> root_;
  const ReadRequest request_;
  const std::shared_ptr<ReadSink> sink_;
  const std::stop_token stop_;
  const std::chrono::milliseconds no_progress_;
  base::TimerQueue& timer_;
  const std::shared_ptr<Lane> lane_;

  // Touched by the one worker that runs.
  std::optional<Fd> file_;
  std::string version_;
  std::uint64_t position_ = 0, end_ = 0;
  bool started_ = false, reopened_ = false;

  base::Locked<State> state_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace lazyvol::source
