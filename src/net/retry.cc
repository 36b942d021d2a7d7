#include "net/retry.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <string>

#include "base/clock.h"
#include "net/http_engine.h"

namespace lazyvol::net {

using std::chrono::milliseconds;

std::optional<milliseconds> next_retry(const RetryPolicy& policy, const Error& error,
                                       std::uint32_t retries_so_far, milliseconds since_progress,
                                       double random) {
  if (!is_transient(error.code) || retries_so_far >= policy.max_retries) return std::nullopt;
  const auto longest = std::max(policy.longest_delay, milliseconds(0));
  milliseconds full = std::min(policy.first_delay, longest);
  for (std::uint32_t i = 0; i < retries_so_far && full < longest && full.count() > 0; ++i) {
    full = full > longest / 2 ? longest : full * 2;
  }
  const double half = static_cast<double>(full.count()) / 2;
  milliseconds delay(static_cast<milliseconds::rep>(half + random * half));
  if (error.retry_after) delay = std::max(delay, *error.retry_after);
  if (delay > policy.deadline || since_progress > policy.deadline - delay) return std::nullopt;
  return delay;
}

std::optional<milliseconds> parse_retry_after(std::string_view value, std::int64_t wall_now_s) {
  constexpr std::int64_t kLongestSeconds = 24 * 60 * 60;
  if (value.empty() || value.size() > 64) return std::nullopt;
  std::int64_t seconds = 0;
  if (value.find_first_not_of("0123456789") == std::string_view::npos) {
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (parsed.ec != std::errc()) seconds = kLongestSeconds;  // too many digits
  } else {
    // -1 stands for "not a date"; the one second of 1969 that shares it asks for no wait anyway.
    const std::time_t when = curl_getdate(std::string(value).c_str(), nullptr);
    if (when == -1) return std::nullopt;
    seconds = static_cast<std::int64_t>(when) - wall_now_s;
  }
  return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, kLongestSeconds));
}

namespace {

Code code_of_status(int status) {
  switch (status) {
    case 401:
    case 403:
    case 407:
      return Code::access_denied;
    case 404:
    case 410:
      return Code::not_found;
    case 412:
    case 416:
      return Code::stale;
    case 429:
    case 503:
      return Code::throttled;
    case 408:
    case 425:
      return Code::io_error;
    default:
      // 501: the server will never do it.
      return status < 500 || status == 501 ? Code::invalid_argument : Code::io_error;
  }
}

std::string_view reason_of_status(int status) {
  switch (status) {
    case 400:
      return " Bad Request";
    case 401:
      return " Unauthorized (option credentials names the file of a user's name and password, or "
             "token)";
    case 403:
      return " Forbidden";
    case 404:
      return " Not Found";
    case 405:
      return " Method Not Allowed";
    case 407:
      return " Proxy Authentication Required";
    case 408:
      return " Request Timeout";
    case 410:
      return " Gone";
    case 412:
      return " Precondition Failed";
    case 416:
      return " Range Not Satisfiable";
    case 429:
      return " Too Many Requests";
    case 500:
      return " Internal Server Error";
    case 501:
      return " Not Implemented";
    case 502:
      return " Bad Gateway";
    case 503:
      return " Service Unavailable";
    case 504:
      return " Gateway Timeout";
    default:
      return "";
  }
}

}  // namespace

Error http_status_error(int status, std::string_view what,
                        std::optional<milliseconds> retry_after) {
  Error error{code_of_status(status),
              fmt::format("{}: HTTP {}{}", what, status, reason_of_status(status))};
  if (error.code == Code::throttled) error.retry_after = retry_after;
  return error;
}

Error http_status_error(const HttpHead& head, std::string_view what) {
  std::optional<milliseconds> wait;
  if (const auto* field = head.headers.find("retry-after")) {
    wait = parse_retry_after(*field, base::system_clock().wall_ns() / 1'000'000'000);
  }
  return http_status_error(head.status, what, wait);
}

}  // namespace lazyvol::net
