// When to try again: a pure function of what happened so far.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::net {

struct HttpHead;

struct RetryPolicy {
  std::uint32_t max_retries = 10;
  std::chrono::milliseconds first_delay{100};
  std::chrono::milliseconds longest_delay{3'000};
  std::chrono::milliseconds deadline{10'000};  ///< since the last progress
};

/// How long to wait before the next attempt, or nullopt to give up.
/// Exponential backoff with full jitter (delay = rand in [half, full] of first_delay * 2^retries,
/// capped); Retry-After wins when longer. Gives up when the error is not transient, the retries are
/// used up, or the wait would end past the deadline.
/// `random` is in [0, 1). Pure; thread-safe.
std::optional<std::chrono::milliseconds> next_retry(const RetryPolicy& policy, const Error& error,
                                                    std::uint32_t retries_so_far,
                                                    std::chrono::milliseconds since_progress,
                                                    double random);

/// What a Retry-After field asks for (RFC 9110 10.2.3): seconds, or an HTTP-date, which is compared
/// with `wall_now_s` (seconds since the Unix epoch). At most one day; a date that has passed gives
/// 0; nullopt when it is neither form. Pure; thread-safe.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value,
                                                           std::int64_t wall_now_s);

/// The Error for an HTTP status of 400 and more: 401/403/407 access_denied, 404/410 not_found,
/// 412 stale, 416 stale, 429/503 throttled (with `retry_after` when given), 408/425 and 5xx
/// io_error, other 4xx invalid_argument. `what` names the thing ("GET https://…").
Error http_status_error(int status, std::string_view what,
                        std::optional<std::chrono::milliseconds> retry_after);
/// The same for an answer's head, with its Retry-After by this machine's clock.
Error http_status_error(const HttpHead& head, std::string_view what);

}  // namespace lazyvol::net
