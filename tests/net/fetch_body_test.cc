#include "net/fetch_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "net/recording_sink.h"
#include "net/scripted_server.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::net {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class FetchBodyTest : public ::testing::Test {
 protected:
  FetchBodyTest() {
    options_.retry.first_delay = 1ms;
    options_.retry.longest_delay = 5ms;
  }
  ~FetchBodyTest() override { timer_.stop(); }

  Result<HttpBody> fetch(HttpRequest request) {
    std::promise<Result<HttpBody>> promise;
    auto future = promise.get_future();
    fetch_body(engine_, timer_, std::move(request), options_,
               [&](Result<HttpBody> result) { promise.set_value(std::move(result)); });
    return future.get();
  }
  static std::string reply(const std::string& status, const std::string& fields,
                           const std::string& body) {
    return "HTTP/1.1 " + status + "\r\n" + fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  base::TimerQueue timer_;  // outlives the engine
  HttpEngine engine_{HttpEngineOptions{}};
  FetchBodyOptions options_;
};

TEST_F(FetchBodyTest, ARefusalMayBeExplainedByItsPage) {
  const ScriptedServer server(reply("400 Bad Request", "", "because"));
  options_.explain = [](const HttpHead& head, std::string_view page) {
    return Error{Code::unsupported, std::to_string(head.status) + " " + std::string(page)};
  };
  const auto body = fetch(get(server.url()));
  ASSERT_FALSE(body.ok());
  EXPECT_EQ(body.error().code, Code::unsupported);
  EXPECT_EQ(body.error().message, "400 because");
}

TEST_F(FetchBodyTest, AttemptsMayBeSentBySomebodyElse) {
  const ScriptedServer server(reply("200 OK", "", "there"));
  int attempts = 0;
  options_.submit = [&](HttpRequest request, std::shared_ptr<HttpSink> sink) {
    if (++attempts < 3) return sink->on_done(Error{Code::io_error, "not yet"});
    request.url = server.url();
    (void)engine_.submit(std::move(request), std::move(sink));
  };
  const auto body = fetch(get("http://nowhere.invalid/"));
  ASSERT_TRUE(body.ok()) << body.error().message;
  EXPECT_EQ(body->bytes, "there");
  EXPECT_EQ(attempts, 3);
}

TEST_F(FetchBodyTest, GivesTheWholeBody) {
  testing::TempDir root;
  testing::write_file(root.path() / "x", testing::noise(300'000, 6));
  testing::Nginx nginx(root.path());
  auto body = fetch(get(nginx.url() + "x"));
  ASSERT_TRUE(body.ok()) << body.error().message;
  EXPECT_EQ(body->head.status, 200);
  EXPECT_TRUE(body->bytes == testing::noise(300'000, 6));

  HttpRequest head = get(nginx.url() + "x");
  head.method = HttpRequest::Method::head;
  options_.max_body = 10;
  body = fetch(head);
  ASSERT_TRUE(body.ok()) << "the length of a HEAD is not a body's";
  EXPECT_EQ(*body->head.headers.find("content-length"), "300000");

  HttpRequest unchanged = get(nginx.url() + "x");
  unchanged.headers = {{"If-None-Match", *body->head.headers.find("etag")}};
  body = fetch(unchanged);
  ASSERT_TRUE(body.ok());
  EXPECT_EQ(body->head.status, 304);
}

TEST_F(FetchBodyTest, BoundsTheBody) {
  options_.max_body = 1000;
  ScriptedServer exact(reply("200 OK", "", std::string(1000, 'x')));
  EXPECT_TRUE(fetch(get(exact.url())).ok());
  ScriptedServer announced(reply("200 OK", "", std::string(1001, 'x')));
  EXPECT_EQ(fetch(get(announced.url())).error().code, Code::too_large);
  ScriptedServer endless("HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'x'));
  EXPECT_EQ(fetch(get(endless.url())).error().code, Code::too_large);
  EXPECT_EQ(endless.requests(), 1) << "not tried again";
}

TEST_F(FetchBodyTest, BoundsTheBodyAfterDecoding) {
  testing::TempDir root;
  testing::write_file(root.path() / "bomb", std::string(1'000'000, '\0'));
  testing::NginxOptions nginx_options;
  nginx_options.extra_server = "gzip on; gzip_min_length 1; gzip_types *;";
  testing::Nginx nginx(root.path(), nginx_options);
  HttpRequest request = get(nginx.url() + "bomb");
  request.accept_encoding = true;
  options_.max_body = 999'999;
  EXPECT_EQ(fetch(request).error().code, Code::too_large);
  options_.max_body = 1'000'000;
  EXPECT_TRUE(fetch(request).ok());
}

TEST_F(FetchBodyTest, TriesAgainUntilItWorks) {
  std::atomic<int> calls{0};
  ScriptedServer server([&](const std::string&) {
    switch (calls++) {
      case 0:
        return reply("500 Oops", "", "no");
      case 1:
        return reply("503 Busy", "Retry-After: 0\r\n", "no");
      case 2:
        return std::string("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort");
      default:
        return reply("200 OK", "", "whole");
    }
  });
  const auto body = fetch(get(server.url()));
  ASSERT_TRUE(body.ok()) << body.error().message;
  EXPECT_EQ(body->bytes, "whole");
  EXPECT_EQ(calls, 4);
}

TEST_F(FetchBodyTest, GivesUpWithTheLastError) {
  options_.retry.max_retries = 2;
  ScriptedServer server(reply("502 Bad Gateway", "", ""));
  const auto body = fetch(get(server.url() + "p?secret=1"));
  ASSERT_FALSE(body.ok());
  EXPECT_EQ(body.error().code, Code::io_error);
  EXPECT_THAT(body.error().message, HasSubstr("/p?\u2026: HTTP 502 Bad Gateway"));
  EXPECT_EQ(server.requests(), 3);
}

TEST_F(FetchBodyTest, ATooLongRetryAfterIsReported) {
  ScriptedServer server(reply("429 Slow Down", "Retry-After: 3600\r\n", ""));
  const auto body = fetch(get(server.url()));
  ASSERT_FALSE(body.ok());
  EXPECT_EQ(body.error().code, Code::throttled);
  EXPECT_EQ(body.error().retry_after, 3600s);
  EXPECT_EQ(server.requests(), 1);
}

TEST_F(FetchBodyTest, DoesNotRepeatWhatCannotHelp) {
  ScriptedServer missing(reply("404 Not Found", "", std::string(500'000, 'x')));
  EXPECT_EQ(fetch(get(missing.url())).error().code, Code::not_found);
  EXPECT_EQ(missing.requests(), 1);
  ScriptedServer odd(reply("300 Multiple Choices", "", ""));
  EXPECT_EQ(fetch(get(odd.url())).error().code, Code::io_error);
  EXPECT_EQ(odd.requests(), 1);
}

TEST_F(FetchBodyTest, RefreshesCredentialsOnce) {
  testing::TempDir root;
  testing::write_file(root.path() / "x", "hello");
  testing::NginxOptions nginx_options;
  nginx_options.bearer_token = "new";
  testing::Nginx nginx(root.path(), nginx_options);
  HttpIdentity old_identity, new_identity;
  old_identity.bearer_token = "old";
  new_identity.bearer_token = "new";
  HttpRequest request = get(nginx.url() + "x");
  request.identity = std::make_shared<const HttpIdentity>(old_identity);

  EXPECT_EQ(fetch(request).error().code, Code::access_denied) << "nobody to ask";
  std::atomic<int> asked{0};
  options_.refresh_identity = [&] {
    ++asked;
    return std::make_shared<const HttpIdentity>(new_identity);
  };
  const auto body = fetch(request);
  ASSERT_TRUE(body.ok()) << body.error().message;
  EXPECT_EQ(body->bytes, "hello");
  EXPECT_EQ(asked, 1);

  new_identity.bearer_token = "also wrong";
  EXPECT_EQ(fetch(request).error().code, Code::access_denied);
  EXPECT_EQ(asked, 2) << "once per call";
  const auto same = request.identity;
  options_.refresh_identity = [&] { return same; };
  nginx.clear_access_log();
  EXPECT_EQ(fetch(request).error().code, Code::access_denied);
  EXPECT_EQ(nginx.access_log().size(), 1U) << "the same identity is not tried again";
}

TEST_F(FetchBodyTest, StopEndsTheWaitBetweenAttempts) {
  options_.retry.deadline = std::chrono::hours(1);
  ScriptedServer server(reply("503 Busy", "Retry-After: 1800\r\n", ""));
  std::stop_source stop;
  HttpRequest request = get(server.url());
  request.context.stop = stop.get_token();
  std::promise<Result<HttpBody>> promise;
  auto future = promise.get_future();
  fetch_body(engine_, timer_, request, options_,
             [&](Result<HttpBody> result) { promise.set_value(std::move(result)); });
  while (engine_.stats().requests == 0 || engine_.stats().in_flight > 0) std::this_thread::yield();
  stop.request_stop();
  EXPECT_EQ(future.get().error().code, Code::cancelled);
}

TEST_F(FetchBodyTest, TheEndOfTheTimerEndsTheWait) {
  options_.retry.deadline = std::chrono::hours(1);
  ScriptedServer server(reply("503 Busy", "Retry-After: 1800\r\n", ""));
  std::promise<Result<HttpBody>> promise;
  auto future = promise.get_future();
  fetch_body(engine_, timer_, get(server.url()), options_,
             [&](Result<HttpBody> result) { promise.set_value(std::move(result)); });
  while (engine_.stats().requests == 0 || engine_.stats().in_flight > 0) std::this_thread::yield();
  timer_.stop();
  EXPECT_EQ(future.get().error().code, Code::cancelled);
}

}  // namespace
}  // namespace lazyvol::net
