// HTTP for code that may block: a call that waits for its answer.
#pragma once

#include <stop_token>

#include "base/locked.h"
#include "base/timer.h"
#include "net/fetch_body.h"
#include "net/http_engine.h"

namespace lazyvol::net {

/// fetch_body() for worker threads. Lets its owner go while a thread is still waiting: after
/// close() nothing reaches the engine any more, which may then be destroyed. Thread-safe.
class WaitingHttp {
 public:
  WaitingHttp(HttpEngine& engine, base::TimerQueue& timer) : engine_(engine), timer_(timer) {}

  /// Blocks; not on the transfer thread or the timer's. `request.context.stop` is replaced by
  /// stop_token(). Errors: as fetch_body(); cancelled after close().
  Result<HttpBody> fetch(HttpRequest request, FetchBodyOptions options);
  /// Cancels what is under way and refuses more. Idempotent.
  void close();
  std::stop_token stop_token() const { return stop_.get_token(); }

 private:
  HttpEngine& engine_;
  base::TimerQueue& timer_;
  std::stop_source stop_;
  base::Locked<bool> closed_{false};  ///< held while a request is handed over
};

}  // namespace lazyvol::net
