// What goes wrong between us and a server, and which error it becomes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/recording_sink.h"
#include "net/scripted_server.h"
#include "support/process.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::net {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class EngineFaultTest : public ::testing::Test {
 protected:
  EngineFaultTest() { testing::write_file(root_.path() / "big", testing::noise(8'000'000, 3)); }

  HttpRequest impatient(std::string url, std::chrono::milliseconds no_progress = 300ms) {
    HttpRequest request = get(std::move(url));
    request.context.no_progress = no_progress;
    return request;
  }
  static std::string at(std::uint16_t port, const std::string& path = "big") {
    return "http://127.0.0.1:" + std::to_string(port) + "/" + path;
  }

  testing::TempDir root_;
  HttpEngine engine_{HttpEngineOptions{}};
  Status status_;
};

TEST_F(EngineFaultTest, UnresolvableHost) {
  (void)fetch(engine_, get("http://no-such-host.invalid/x"), &status_);
  ASSERT_FALSE(status_.ok());
  EXPECT_EQ(status_.error().code, Code::unreachable);
  EXPECT_EQ(status_.error().message, "cannot resolve host 'no-such-host.invalid'");
  EXPECT_EQ(engine_.stats().failures, 1U);
  testing::Nginx nginx(root_.path());
  (void)fetch(engine_, get(nginx.url() + "big"), &status_);
  EXPECT_TRUE(status_.ok()) << "and the next request works: " << status_.error().message;
}

TEST_F(EngineFaultTest, RefusedConnection) {
  const std::uint16_t port = testing::reserve_port();
  (void)fetch(engine_, get(at(port)), &status_);
  ASSERT_FALSE(status_.ok());
  EXPECT_EQ(status_.error().code, Code::unreachable);
  EXPECT_EQ(status_.error().message,
            "cannot connect to host '127.0.0.1:" + std::to_string(port) + "': Connection refused");
}

TEST_F(EngineFaultTest, StalledServerTimesOutAndRecovers) {
  testing::Nginx nginx(root_.path());
  testing::Relay relay(nginx.port());
  relay.set_stalled(true);
  (void)fetch(engine_, impatient(at(relay.port())), &status_);
  ASSERT_FALSE(status_.ok());
  EXPECT_EQ(status_.error().code, Code::timed_out);
  EXPECT_THAT(status_.error().message, HasSubstr("127.0.0.1"));
  relay.set_stalled(false);
  const auto sink = fetch(engine_, get(at(relay.port())), &status_);
  EXPECT_TRUE(status_.ok());
  EXPECT_EQ(sink->received(), 8'000'000U);
}

TEST_F(EngineFaultTest, StallInTheMiddleTimesOut) {
  testing::Nginx nginx(root_.path());
  testing::Relay relay(nginx.port());
  auto sink = std::make_shared<RecordingSink>();
  sink->flow_of_data = [&](std::span<const std::byte>) {
    relay.set_stalled(true);
    return Flow::proceed;
  };
  (void)engine_.submit(impatient(at(relay.port()), 1500ms), sink);
  const Status status = sink->wait();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::timed_out);
  EXPECT_EQ(sink->http_status(), 200);
}

TEST_F(EngineFaultTest, DeadHttp2ConnectionIsNotUsedAgain) {
  testing::NginxOptions options;
  options.tls = true;
  testing::Nginx nginx(root_.path(), options);
  testing::Relay relay(nginx.port());
  HttpIdentity identity;
  identity.ca_cert_path = nginx.ca_path();
  HttpRequest request = get("https://localhost:" + std::to_string(relay.port()) + "/big");
  request.method = HttpRequest::Method::head;
  request.identity = std::make_shared<const HttpIdentity>(identity);
  (void)fetch(engine_, request, &status_);
  ASSERT_TRUE(status_.ok()) << status_.error().message;
  EXPECT_EQ(relay.connections(), 1U);
  relay.set_stalled(true);
  request.context.no_progress = 300ms;
  (void)fetch(engine_, request, &status_);
  EXPECT_EQ(status_.error().code, Code::timed_out);
  EXPECT_EQ(relay.connections(), 1U);
  relay.set_stalled(false);
  request.context.no_progress = 10s;
  (void)fetch(engine_, request, &status_);
  EXPECT_TRUE(status_.ok()) << status_.error().message;
  EXPECT_EQ(relay.connections(), 2U);
}

TEST_F(EngineFaultTest, SlowIsNotDead) {
  testing::NginxOptions options;
  options.extra_location = "limit_rate 25k;";
  testing::Nginx nginx(root_.path(), options);
  HttpRequest request = impatient(nginx.url() + "big", 2500ms);
  request.range = {0, 100'000};  // takes about four seconds
  const auto sink = fetch(engine_, request, &status_);
  EXPECT_TRUE(status_.ok()) << status_.error().message;
  EXPECT_EQ(sink->received(), 100'000U);
}

TEST_F(EngineFaultTest, CutConnectionIsAnIoError) {
  testing::Nginx nginx(root_.path());
  testing::Relay relay(nginx.port());
  relay.set_cut_after(100'000);
  const auto sink = fetch(engine_, get(at(relay.port())), &status_);
  ASSERT_FALSE(status_.ok());
  EXPECT_EQ(status_.error().code, Code::io_error);
  EXPECT_LT(sink->received(), 100'000U);
  EXPECT_EQ(sink->bytes(), testing::noise(8'000'000, 3).substr(0, sink->received()));
}

TEST_F(EngineFaultTest, WhatIsNoResponseIsAnIoError) {
  for (const std::string& reply :
       {std::string("garbage\r\n\r\n"), std::string(),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\nshort"),
        std::string("HTTP/1.1 200 OK\r\nContent-Le")}) {
    ScriptedServer server(reply);
    (void)fetch(engine_, get(server.url()), &status_);
    ASSERT_FALSE(status_.ok()) << reply;
    EXPECT_EQ(status_.error().code, Code::io_error) << reply << status_.error().message;
  }
}

TEST_F(EngineFaultTest, InterimResponsesAreNotShown) {
  ScriptedServer server(
      "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
      "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n0\r\nX-Trailer: t\r\n\r\n");
  const auto sink = fetch(engine_, get(server.url()), &status_);
  ASSERT_TRUE(status_.ok()) << status_.error().message;
  EXPECT_EQ(sink->http_status(), 200);
  EXPECT_EQ(sink->header("x-a"), "b");
  EXPECT_EQ(sink->header("link"), "(none)");
  EXPECT_EQ(sink->header("x-trailer"), "(none)");
  EXPECT_EQ(sink->bytes(), "hello");
}

TEST_F(EngineFaultTest, HeadersAreBounded) {
  std::string reply = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 300; ++i) reply += "X-Many: " + std::string(1000, 'x') + "\r\n";
  ScriptedServer server(reply + "Content-Length: 0\r\n\r\n");
  const auto sink = fetch(engine_, get(server.url()), &status_);
  ASSERT_FALSE(status_.ok());
  EXPECT_EQ(status_.error().code, Code::too_large);
  EXPECT_FALSE(sink->head());
}

TEST_F(EngineFaultTest, ABrokenEncodingIsCorrupt) {
  ScriptedServer server(
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip");
  HttpRequest request = get(server.url());
  request.accept_encoding = true;
  (void)fetch(engine_, request, &status_);
  ASSERT_FALSE(status_.ok());
  EXPECT_EQ(status_.error().code, Code::corrupt);
}

TEST_F(EngineFaultTest, RequestsThatWaitForADeadServerEndToo) {
  testing::Nginx nginx(root_.path());
  testing::Relay relay(nginx.port());
  relay.set_stalled(true);
  HttpEngineOptions options;
  options.max_connections_per_host = 2;
  HttpEngine engine(options);
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (int i = 0; i < 20; ++i) {
    sinks.push_back(std::make_shared<RecordingSink>());
    (void)engine.submit(impatient(at(relay.port()), 500ms), sinks.back());
  }
  for (const auto& sink : sinks) EXPECT_EQ(sink->wait().error().code, Code::timed_out);
  EXPECT_LE(relay.connections(), 4U) << "they did not take turns to time out";
  EXPECT_EQ(engine.stats().in_flight, 0U);
  EXPECT_EQ(engine.stats().queued, 0U);
}

TEST_F(EngineFaultTest, AServerThatComesBackIsReached) {
  testing::Nginx nginx(root_.path());
  (void)fetch(engine_, get(nginx.url() + "big"), &status_);
  ASSERT_TRUE(status_.ok());
  nginx.stop();
  (void)fetch(engine_, get(nginx.url() + "big"), &status_);
  EXPECT_EQ(status_.error().code, Code::unreachable);
  nginx.start();
  (void)fetch(engine_, get(nginx.url() + "big"), &status_);
  EXPECT_TRUE(status_.ok()) << "the connection that died while idle does no harm";
}

}  // namespace
}  // namespace lazyvol::net
