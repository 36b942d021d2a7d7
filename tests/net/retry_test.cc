#include "net/retry.h"

#include <gtest/gtest.h>

namespace lazyvol::net {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

Error of(Code code) {
  return {code, "x"};
}

TEST(NextRetry, BacksOffExponentiallyWithJitterUpToTheCap) {
  const RetryPolicy policy{
      .max_retries = 10, .first_delay = 100ms, .longest_delay = 3s, .deadline = 1h};
  const struct {
    std::uint32_t retries;
    double random;
    milliseconds expected;
  } table[] = {{0, 0.0, 50ms},   {0, 0.5, 75ms},    {0, 0.999, 99ms}, {1, 0.0, 100ms},
               {2, 0.5, 300ms},  {4, 0.0, 800ms},   {5, 0.0, 1500ms}, {5, 0.5, 2250ms},
               {9, 0.0, 1500ms}, {9, 0.999, 2998ms}};
  for (const auto& row : table) {
    EXPECT_EQ(next_retry(policy, of(Code::io_error), row.retries, 0ms, row.random), row.expected)
        << row.retries << ' ' << row.random;
  }
}

TEST(NextRetry, GivesUp) {
  const RetryPolicy policy{
      .max_retries = 3, .first_delay = 100ms, .longest_delay = 3s, .deadline = 10s};
  EXPECT_FALSE(next_retry(policy, of(Code::not_found), 0, 0ms, 0)) << "not transient";
  EXPECT_FALSE(next_retry(policy, of(Code::access_denied), 0, 0ms, 0));
  EXPECT_FALSE(next_retry(policy, of(Code::cancelled), 0, 0ms, 0));
  EXPECT_TRUE(next_retry(policy, of(Code::timed_out), 2, 0ms, 0));
  EXPECT_FALSE(next_retry(policy, of(Code::timed_out), 3, 0ms, 0)) << "retries used up";
  EXPECT_TRUE(next_retry(policy, of(Code::io_error), 0, 9950ms, 0)) << "ends at the deadline";
  EXPECT_FALSE(next_retry(policy, of(Code::io_error), 0, 9951ms, 0)) << "ends past the deadline";
}

TEST(NextRetry, HonoursRetryAfterWhenItIsLonger) {
  const RetryPolicy policy;
  Error error = of(Code::throttled);
  error.retry_after = 2s;
  EXPECT_EQ(next_retry(policy, error, 0, 0ms, 0.5), 2s);
  error.retry_after = 1ms;
  EXPECT_EQ(next_retry(policy, error, 0, 0ms, 0.0), 50ms);
  error.retry_after = 11s;
  EXPECT_FALSE(next_retry(policy, error, 0, 0ms, 0.5)) << "longer than the deadline";
  error.retry_after = milliseconds::max();
  EXPECT_FALSE(next_retry(policy, error, 0, 0ms, 0.5));
}

TEST(NextRetry, SurvivesExtremePolicies) {
  const RetryPolicy endless{.max_retries = UINT32_MAX,
                            .first_delay = 1ms,
                            .longest_delay = milliseconds::max(),
                            .deadline = milliseconds::max()};
  EXPECT_TRUE(next_retry(endless, of(Code::io_error), 4'000'000'000U, 1h, 0.0));
  const RetryPolicy eager{
      .max_retries = UINT32_MAX, .first_delay = 0ms, .longest_delay = 0ms, .deadline = 1s};
  EXPECT_EQ(next_retry(eager, of(Code::io_error), 4'000'000'000U, 0ms, 0.9), 0ms);
}

TEST(ParseRetryAfter, KnowsBothForms) {
  constexpr std::int64_t kNow = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT
  EXPECT_EQ(parse_retry_after("120", kNow), 120s);
  EXPECT_EQ(parse_retry_after("0", kNow), 0s);
  EXPECT_EQ(parse_retry_after("999999999999999999999999", kNow), 24h);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:50:07 GMT", kNow), 30s);
  EXPECT_EQ(parse_retry_after("Sunday, 06-Nov-94 08:50:07 GMT", kNow), 30s);
  EXPECT_EQ(parse_retry_after("Sun Nov  6 08:50:07 1994", kNow), 30s);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", kNow), 0s) << "has passed";
  EXPECT_EQ(parse_retry_after("Fri, 31 Dec 1999 23:59:59 GMT", kNow), 24h) << "capped";
  EXPECT_FALSE(parse_retry_after("", kNow));
  EXPECT_FALSE(parse_retry_after("soon", kNow));
  EXPECT_FALSE(parse_retry_after("-5", kNow));
  EXPECT_FALSE(parse_retry_after(std::string(1000, '1'), kNow));
}

TEST(HttpStatusError, MapsEveryClass) {
  const struct {
    int status;
    Code code;
  } table[] = {{400, Code::invalid_argument},
               {401, Code::access_denied},
               {403, Code::access_denied},
               {404, Code::not_found},
               {405, Code::invalid_argument},
               {501, Code::invalid_argument},
               {407, Code::access_denied},
               {408, Code::io_error},
               {410, Code::not_found},
               {412, Code::stale},
               {416, Code::stale},
               {425, Code::io_error},
               {429, Code::throttled},
               {500, Code::io_error},
               {502, Code::io_error},
               {503, Code::throttled},
               {504, Code::io_error},
               {599, Code::io_error}};
  for (const auto& row : table) {
    const Error error = http_status_error(row.status, "GET http://h/x", std::nullopt);
    EXPECT_EQ(error.code, row.code) << row.status;
    EXPECT_NE(error.message.find("GET http://h/x: HTTP " + std::to_string(row.status)),
              std::string::npos);
  }
  EXPECT_EQ(http_status_error(503, "x", 5s).retry_after, 5s);
  EXPECT_EQ(http_status_error(500, "x", 5s).retry_after, std::nullopt);
}

}  // namespace
}  // namespace lazyvol::net
