// A whole response in memory, retried: for metadata requests (listings, HEAD, small documents).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/timer.h"
#include "lazyvol/error.h"
#include "net/http_engine.h"
#include "net/retry.h"

namespace lazyvol::net {

struct HttpBody {
  HttpHead head;
  std::string bytes;  ///< decoded when the request said accept_encoding
};

struct FetchBodyOptions {
  std::uint64_t max_body = 16ULL << 20;  ///< bytes after decoding; more gives too_large
  RetryPolicy retry;
  /// Asked at most once, after a 401 or 403: the identity as of now. The request is sent again when
  /// it is another one than it was sent with (`credentials->reload(); return
  /// credentials->current();`). Empty = never asked. Runs on the timer's thread; may read a small
  /// local file.
  std::function<std::shared_ptr<const HttpIdentity>()> refresh_identity;
  /// Sends each attempt instead of HttpEngine::submit(), with the same contract.
  std::function<void(HttpRequest, std::shared_ptr<HttpSink>)> submit;
  /// Makes the error of a response of 400 and more from up to 64 KiB of its page. Empty =
  /// http_status_error().
  std::function<Error(const HttpHead&, std::string_view page)> explain;
};

using FetchBodyDone = std::function<void(Result<HttpBody>)>;

/// Sends `request` and collects the body, trying again as next_retry() says (with the server's
/// Retry-After, in seconds or as an HTTP-date) until request.context.stop is requested.
///
/// `done` comes exactly once, on the transfer thread or the timer's; it must not block. Success is
/// a status of 200..299 or 304. Errors: http_status_error() for 400 and more, too_large, the errors
/// of HttpSink::on_done; io_error for a status that is neither; cancelled when the engine or the
/// timer stops first. The engine must not be destroyed while the timer still runs tasks: stop() the
/// timer, then destroy the engine, then the timer. Thread-safe, returns at once.
void fetch_body(HttpEngine& engine, base::TimerQueue& timer, HttpRequest request,
                FetchBodyOptions options, FetchBodyDone done);

}  // namespace lazyvol::net
