// The engine against a real nginx: what a working server gives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

#include "base/locked.h"
#include "net/credentials.h"
#include "net/recording_sink.h"
#include "net/scripted_server.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::net {
namespace {

using ::testing::HasSubstr;

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    testing::write_file(root_.path() / "small", "hello");
    testing::write_file(root_.path() / "empty", "");
    testing::write_file(root_.path() / "big", testing::noise(3'000'000, 1));
    testing::write_file(root_.path() / "a b%20+&\xc3\xa9", "odd name");
  }

  testing::TempDir root_;
  HttpEngine engine_{HttpEngineOptions{}};
  Status status_;
};

TEST_F(EngineTest, GetsAFile) {
  testing::Nginx nginx(root_.path());
  const auto sink = fetch(engine_, get(nginx.url() + "small"), &status_);
  ASSERT_TRUE(status_.ok()) << status_.error().message;
  EXPECT_EQ(sink->http_status(), 200);
  EXPECT_EQ(sink->bytes(), "hello");
  EXPECT_EQ(sink->header("content-length"), "5");
  EXPECT_NE(sink->header("etag"), "(none)");
  EXPECT_EQ(sink->head()->effective_url, nginx.url() + "small");
  const HttpStats stats = engine_.stats();
  EXPECT_EQ(stats.requests, 1U);
  EXPECT_EQ(stats.failures, 0U);
  EXPECT_EQ(stats.connections_opened, 1U);
  EXPECT_EQ(stats.bytes_received, 5U);
  EXPECT_EQ(stats.in_flight, 0U);
  EXPECT_EQ(stats.queued, 0U);
}

TEST_F(EngineTest, SendsBodies) {
  base::Locked<std::string> seen;
  const ScriptedServer server([&](const std::string& request) {
    *seen.lock() = request;
    return std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  using Method = HttpRequest::Method;
  for (const auto method : {Method::put, Method::post, Method::del}) {
    for (const std::string& body :
         {std::string(), std::string("a\0b", 3), std::string(100'000, 'x')}) {
      if (method == Method::del && !body.empty()) continue;
      HttpRequest request;
      request.method = method;
      request.url = server.url();
      request.body = body;
      Status status;
      const auto sink = fetch(engine_, request, &status);
      ASSERT_TRUE(status.ok()) << status.error().message;
      EXPECT_EQ(sink->bytes(), "ok");
      const std::string text = *seen.lock();
      EXPECT_TRUE(text.starts_with(std::string(method_name(method)) + " / HTTP/1.1\r\n")) << text;
      EXPECT_EQ(text.find("Expect"), std::string::npos);
      EXPECT_TRUE(text.substr(text.find("\r\n\r\n") + 4) == body) << text.size();
    }
  }
}

// Takes a body of 8 MiB so slowly that it lasts longer than a request may be without progress.
void take_slowly(int listener) {
  const int connection = ::accept(listener, nullptr, nullptr);
  std::string seen;
  std::vector<char> piece(64 * 1024);
  while (seen.size() < (8U << 20)) {
    const ssize_t got = ::recv(connection, piece.data(), piece.size(), 0);
    if (got <= 0) break;
    seen.append(piece.data(), static_cast<std::size_t>(got));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  (void)::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
  ::close(connection);
}

TEST_F(EngineTest, ABodyThatIsTakenSlowlyIsProgress) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int small = 64 * 1024;
  ::setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  std::thread server([&] { take_slowly(listener); });
  HttpRequest request;
  request.method = HttpRequest::Method::put;
  request.url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
  auto payload = std::make_shared<Payload>();
  payload->bytes.assign(8U << 20, 'x');
  request.payload = payload;
  request.context.no_progress = std::chrono::milliseconds(1500);
  const auto begin = std::chrono::steady_clock::now();
  const auto sink = fetch(engine_, request, &status_);
  EXPECT_TRUE(status_.ok()) << status_.error().message;
  EXPECT_GT(std::chrono::steady_clock::now() - begin, request.context.no_progress);
  server.join();
  ::close(listener);
}

TEST_F(EngineTest, GivesTheHeadOfAnEmptyBodyAndOfHead) {
  testing::Nginx nginx(root_.path());
  auto sink = fetch(engine_, get(nginx.url() + "empty"), &status_);
  EXPECT_TRUE(status_.ok());
  EXPECT_EQ(sink->http_status(), 200);
  EXPECT_EQ(sink->bytes(), "");
  HttpRequest head = get(nginx.url() + "big");
  head.method = HttpRequest::Method::head;
  sink = fetch(engine_, head, &status_);
  EXPECT_TRUE(status_.ok());
  EXPECT_EQ(sink->header("content-length"), "3000000");
  EXPECT_EQ(sink->bytes(), "");
}

TEST_F(EngineTest, RangesAndConditions) {
  testing::Nginx nginx(root_.path());
  const std::string all = testing::noise(3'000'000, 1);
  HttpRequest request = get(nginx.url() + "big");
  request.range = {1'000'000, 1'500'000};
  auto sink = fetch(engine_, request, &status_);
  ASSERT_TRUE(status_.ok());
  EXPECT_EQ(sink->http_status(), 206);
  EXPECT_EQ(sink->header("content-range"), "bytes 1000000-2499999/3000000");
  EXPECT_TRUE(sink->bytes() == all.substr(1'000'000, 1'500'000));

  request.headers = {{"If-Match", "\"other\""}};
  sink = fetch(engine_, request, &status_);
  EXPECT_TRUE(status_.ok()) << "an HTTP error is a response";
  EXPECT_EQ(sink->http_status(), 412);

  request.headers = {};
  request.range = {5'000'000, 1};
  sink = fetch(engine_, request, &status_);
  EXPECT_EQ(sink->http_status(), 416);

  HttpRequest unchanged = get(nginx.url() + "small");
  sink = fetch(engine_, unchanged, &status_);
  unchanged.headers = {{"If-None-Match", sink->header("etag")}};
  sink = fetch(engine_, unchanged, &status_);
  EXPECT_TRUE(status_.ok());
  EXPECT_EQ(sink->http_status(), 304);
  EXPECT_EQ(nginx.access_log()[0].range, "bytes=1000000-2499999");
}

TEST_F(EngineTest, HttpErrorsAreResponses) {
  testing::NginxOptions options;
  options.extra_server = "location /forbidden { return 403 no; }";
  testing::Nginx nginx(root_.path(), options);
  auto sink = fetch(engine_, get(nginx.url() + "nothing"), &status_);
  EXPECT_TRUE(status_.ok());
  EXPECT_EQ(sink->http_status(), 404);
  EXPECT_THAT(sink->bytes(), HasSubstr("404"));
  sink = fetch(engine_, get(nginx.url() + "forbidden"), &status_);
  EXPECT_EQ(sink->http_status(), 403);
}

TEST_F(EngineTest, BasicAndBearerAndNetrc) {
  testing::NginxOptions basic;
  basic.user = "me";
  basic.password = "s3cret pass";
  testing::Nginx guarded(root_.path(), basic);
  HttpRequest request = get(guarded.url() + "small");
  EXPECT_EQ(fetch(engine_, request, &status_)->http_status(), 401);
  HttpIdentity identity;
  identity.username = "me";
  identity.password = "s3cret pass";
  request.identity = std::make_shared<const HttpIdentity>(identity);
  EXPECT_EQ(fetch(engine_, request, &status_)->http_status(), 200);
  identity.password = "wrong";
  request.identity = std::make_shared<const HttpIdentity>(identity);
  EXPECT_EQ(fetch(engine_, request, &status_)->http_status(), 401);
  EXPECT_EQ(guarded.access_log().size(), 3U) << "credentials are sent at once, and once";

  testing::TempDir home;
  testing::write_file(home.path() / ".netrc",
                      "machine 127.0.0.1 login me password \"s3cret pass\"\n");
  ::chmod((home.path() / ".netrc").c_str(), 0600);
  ::setenv("HOME", home.path().c_str(), 1);
  request.identity = (*Credentials::open("", ""))->current();
  EXPECT_EQ(fetch(engine_, request, &status_)->http_status(), 200);

  testing::NginxOptions bearer;
  bearer.bearer_token = "t0ken";
  testing::Nginx token(root_.path(), bearer);
  request = get(token.url() + "small");
  EXPECT_EQ(fetch(engine_, request, &status_)->http_status(), 401);
  identity = {};
  identity.bearer_token = "t0ken";
  request.identity = std::make_shared<const HttpIdentity>(identity);
  EXPECT_EQ(fetch(engine_, request, &status_)->http_status(), 200);
}

TEST_F(EngineTest, EncodingIsNegotiatedOnlyWhenAskedFor) {
  testing::NginxOptions options;
  options.extra_server = "gzip on; gzip_min_length 1; gzip_types *;";
  testing::Nginx nginx(root_.path(), options);
  testing::write_file(root_.path() / "text", std::string(10'000, 'a'));
  HttpRequest request = get(nginx.url() + "text");
  auto sink = fetch(engine_, request, &status_);
  EXPECT_EQ(sink->header("content-encoding"), "(none)");
  EXPECT_EQ(sink->bytes(), std::string(10'000, 'a'));
  nginx.clear_access_log();
  request.accept_encoding = true;
  sink = fetch(engine_, request, &status_);
  EXPECT_EQ(sink->header("content-encoding"), "gzip");
  EXPECT_EQ(sink->bytes(), std::string(10'000, 'a'));
  EXPECT_LT(nginx.body_bytes_sent(), 1'000U);
}

TEST_F(EngineTest, SendsUrlsAsTheyAre) {
  testing::Nginx nginx(root_.path());
  const auto sink = fetch(engine_, get(nginx.url() + "a%20b%2520+&%C3%A9"), &status_);
  EXPECT_EQ(sink->bytes(), "odd name");
  (void)fetch(engine_, get(nginx.url() + "x/./%2e%2e/small"), &status_);
  ASSERT_TRUE(status_.ok()) << status_.error().message;
  EXPECT_EQ(nginx.access_log()[1].uri, "/x/./%2e%2e/small");
}

TEST_F(EngineTest, ReusesConnections) {
  testing::Nginx nginx(root_.path());
  for (int i = 0; i < 20; ++i) {
    (void)fetch(engine_, get(nginx.url() + "small"), &status_);
    ASSERT_TRUE(status_.ok());
  }
  EXPECT_EQ(engine_.stats().connections_opened, 1U);
}

TEST_F(EngineTest, RefusesMalformedRequests) {
  testing::Nginx nginx(root_.path());
  HttpRequest request = get("gopher://h/");
  (void)fetch(engine_, request, &status_);
  EXPECT_EQ(status_.error().code, Code::invalid_argument);
  request = get(nginx.url());
  request.range = {0, 0};
  (void)fetch(engine_, request, &status_);
  EXPECT_EQ(status_.error().code, Code::invalid_argument);
  request.range = {UINT64_MAX - 1, 5};
  (void)fetch(engine_, request, &status_);
  EXPECT_EQ(status_.error().code, Code::invalid_argument);
  request.range.reset();
  request.headers = {{"X", "a\r\nY: b"}};
  (void)fetch(engine_, request, &status_);
  EXPECT_EQ(status_.error().code, Code::invalid_argument);
  request.headers = {{"X Y", "a"}};
  (void)fetch(engine_, request, &status_);
  EXPECT_EQ(status_.error().code, Code::invalid_argument);
  EXPECT_TRUE(nginx.access_log().empty());
  EXPECT_EQ(engine_.stats().in_flight, 0U);
}

}  // namespace
}  // namespace lazyvol::net
