#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/recording_sink.h"
#include "net/scripted_server.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::net {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class EngineRedirectTest : public ::testing::Test {
 protected:
  EngineRedirectTest() { testing::write_file(root_.path() / "target", "hello"); }

  static testing::NginxOptions with(std::string extra_server) {
    testing::NginxOptions options;
    options.extra_server = std::move(extra_server);
    return options;
  }
  static std::string redirect_to(const std::string& location) {
    return "HTTP/1.1 302 Found\r\nLocation: " + location + "\r\nContent-Length: 3\r\n\r\nno\n";
  }

  testing::TempDir root_;
  HttpEngine engine_{HttpEngineOptions{}};
  Status status_;
};

TEST_F(EngineRedirectTest, FollowsEveryKindAndShowsOnlyTheEnd) {
  testing::Nginx nginx(root_.path(), with(R"(
    location /r301 { return 301 /target; }
    location /r302 { return 302 r303; }
    location /r303 { return 303 /r307?x=1; }
    location /r307 { return 307 /r308; }
    location /r308 { return 308 /target; })"));
  for (const char* start : {"r301", "r302", "r303", "r307", "r308"}) {
    HttpRequest request = get(nginx.url() + start);
    request.range = {1, 3};
    const auto sink = fetch(engine_, request, &status_);
    ASSERT_TRUE(status_.ok()) << start << status_.error().message;
    EXPECT_EQ(sink->http_status(), 206) << "the range goes along";
    EXPECT_EQ(sink->bytes(), "ell");
    EXPECT_EQ(sink->head()->effective_url, nginx.url() + "target");
    EXPECT_EQ(sink->header("location"), "(none)");
  }
  HttpRequest head = get(nginx.url() + "r302");
  head.method = HttpRequest::Method::head;
  EXPECT_EQ(fetch(engine_, head, &status_)->http_status(), 200);
  EXPECT_EQ(nginx.access_log().back().method, "HEAD");
}

TEST_F(EngineRedirectTest, EndsLoops) {
  testing::Nginx nginx(root_.path(), with("location /loop { return 302 /loop; }"));
  const auto sink = fetch(engine_, get(nginx.url() + "loop?token=x"), &status_);
  ASSERT_FALSE(status_.ok());
  EXPECT_EQ(status_.error().code, Code::io_error);
  EXPECT_THAT(status_.error().message, HasSubstr("more than 10 redirects"));
  EXPECT_THAT(status_.error().message, Not(HasSubstr("token")));
  EXPECT_FALSE(sink->head());
  EXPECT_EQ(nginx.access_log().size(), 11U);
  EXPECT_EQ(engine_.stats().in_flight, 0U);
}

TEST_F(EngineRedirectTest, WhoAsksForThemGetsTheResponse) {
  const ScriptedServer server(redirect_to("http://127.0.0.1:1/elsewhere"));
  HttpRequest request = get(server.url());
  request.follow_redirects = false;
  const auto sink = fetch(engine_, request, &status_);
  ASSERT_TRUE(status_.ok()) << status_.error().message;
  EXPECT_EQ(sink->http_status(), 302);
  EXPECT_EQ(sink->header("location"), "http://127.0.0.1:1/elsewhere");
  EXPECT_EQ(sink->bytes(), "no\n");
}

TEST_F(EngineRedirectTest, ARedirectWithoutAPlaceIsAResponse) {
  ScriptedServer server("HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nhi");
  const auto sink = fetch(engine_, get(server.url()), &status_);
  EXPECT_TRUE(status_.ok());
  EXPECT_EQ(sink->http_status(), 302);
  EXPECT_EQ(sink->bytes(), "hi");
}

TEST_F(EngineRedirectTest, RefusesOtherSchemesAndLossOfTls) {
  ScriptedServer ftp(redirect_to("ftp://127.0.0.1/x"));
  (void)fetch(engine_, get(ftp.url()), &status_);
  EXPECT_EQ(status_.error().code, Code::unsupported);
  ScriptedServer file(redirect_to("file:///etc/passwd"));
  (void)fetch(engine_, get(file.url()), &status_);
  EXPECT_EQ(status_.error().code, Code::unsupported);

  testing::Nginx plain(root_.path());
  testing::NginxOptions options = with("location /down { return 302 " + plain.url() + "target; }");
  options.tls = true;
  testing::Nginx tls(root_.path(), options);
  HttpIdentity identity;
  identity.ca_cert_path = tls.ca_path();
  HttpRequest request = get(tls.url() + "down");
  request.identity = std::make_shared<const HttpIdentity>(identity);
  (void)fetch(engine_, request, &status_);
  EXPECT_EQ(status_.error().code, Code::access_denied);
  EXPECT_TRUE(plain.access_log().empty());
}

TEST_F(EngineRedirectTest, CredentialsStayWithTheirOrigin) {
  std::string seen;  // written by the servers' threads, read after the responses
  ScriptedServer stranger([&](const std::string& request) {
    seen = request;
    return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  });
  std::string first_seen;
  ScriptedServer origin([&](const std::string& request) {
    first_seen = request;
    return redirect_to(stranger.url() + "x");
  });
  HttpIdentity basic, bearer;
  basic.username = "me";
  basic.password = "s3cret";
  bearer.bearer_token = "t0ken";
  for (const HttpIdentity& identity : {basic, bearer}) {
    HttpRequest request = get(origin.url());
    request.identity = std::make_shared<const HttpIdentity>(identity);
    const auto sink = fetch(engine_, request, &status_);
    ASSERT_TRUE(status_.ok()) << status_.error().message;
    EXPECT_EQ(sink->bytes(), "hello");
    EXPECT_THAT(first_seen, HasSubstr("\r\nAuthorization: "));
    EXPECT_THAT(seen, Not(HasSubstr("uthorization"))) << "same host, another port";
  }
  HttpRequest request = get(origin.url());
  request.headers = {{"Authorization", "custom"}, {"cookie", "c=1"}, {"If-Match", "\"v\""}};
  (void)fetch(engine_, request, &status_);
  EXPECT_THAT(first_seen, HasSubstr("Authorization: custom"));
  EXPECT_THAT(first_seen, HasSubstr("cookie: c=1"));
  EXPECT_THAT(seen, Not(HasSubstr("custom")));
  EXPECT_THAT(seen, Not(HasSubstr("c=1")));
  EXPECT_THAT(seen, HasSubstr("If-Match: \"v\"")) << "what is no secret goes along";
  request.headers = {{"X-Key", "custom"}};
  request.headers_are_secret = true;
  (void)fetch(engine_, request, &status_);
  EXPECT_THAT(first_seen, HasSubstr("X-Key: custom"));
  EXPECT_THAT(seen, Not(HasSubstr("custom")));
}

TEST_F(EngineRedirectTest, CredentialsReturnWithTheOrigin) {
  testing::NginxOptions options = with("location /r { return 302 /target; }");
  options.user = "me";
  options.password = "s3cret";
  testing::Nginx nginx(root_.path(), options);
  HttpIdentity identity;
  identity.username = "me";
  identity.password = "s3cret";
  HttpRequest request = get(nginx.url() + "r");
  request.identity = std::make_shared<const HttpIdentity>(identity);
  EXPECT_EQ(fetch(engine_, request, &status_)->http_status(), 200);
}

TEST_F(EngineRedirectTest, DoesNotReadALongPageOfARedirect) {
  testing::Nginx nginx(root_.path());
  ScriptedServer server("HTTP/1.1 302 Found\r\nLocation: " + nginx.url() +
                        "target\r\nContent-Length: 9000000\r\n\r\n" + std::string(9'000'000, 'x'));
  const auto sink = fetch(engine_, get(server.url()), &status_);
  ASSERT_TRUE(status_.ok());
  EXPECT_EQ(sink->bytes(), "hello");
}

}  // namespace
}  // namespace lazyvol::net
