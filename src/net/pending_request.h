// A request between submit() and on_done().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "base/clock.h"
#include "net/http_engine.h"
#include "net/http_url.h"

namespace lazyvol::net {

/// Owned by the transfer thread. A redirect changes `target` and leaves the rest.
struct PendingRequest {
  std::uint64_t id = 0;  ///< counts up with submission: the age
  HttpRequest request;
  std::shared_ptr<HttpSink> sink;
  HttpUrl target;       ///< where to go now
  Origin first_origin;  ///< of request.url: the only one that may see credentials
  int redirects = 0;
  /// May share one HTTP/2 connection with others; else it needs a connection of its own.
  bool shareable = false;
  base::Monotonic queued_at, started_at;
  /// Posts a cancel when request.context.stop is requested.
  std::unique_ptr<std::stop_callback<std::function<void()>>> on_stop;
};

/// When silence since `since` is too long; time_point::max() for "indefinite".
inline base::Monotonic no_progress_deadline(base::Monotonic since, const RequestContext& context) {
  constexpr std::chrono::milliseconds kForever = std::chrono::hours(24 * 365 * 10);
  return context.no_progress >= kForever ? base::Monotonic::max() : since + context.no_progress;
}

}  // namespace lazyvol::net
