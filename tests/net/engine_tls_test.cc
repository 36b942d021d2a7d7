// TLS: whom the engine trusts, and HTTP/2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/recording_sink.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::net {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class EngineTlsTest : public ::testing::Test {
 protected:
  EngineTlsTest() { testing::write_file(root_.path() / "small", "hello"); }

  static testing::NginxOptions tls(std::string extra_server = "") {
    testing::NginxOptions options;
    options.tls = true;
    options.extra_server = std::move(extra_server);
    return options;
  }
  static HttpRequest trusting(std::string url, const std::filesystem::path& ca) {
    HttpRequest request = get(std::move(url));
    HttpIdentity identity;
    identity.ca_cert_path = ca;
    request.identity = std::make_shared<const HttpIdentity>(identity);
    return request;
  }

  testing::TempDir root_;
  Status status_;
};

constexpr const char* kShowsProtocol = "add_header X-Protocol $server_protocol always;";

TEST_F(EngineTlsTest, TrustsTheGivenCaAndSpeaksHttp2) {
  testing::write_file(root_.path() / "big", testing::noise(2'000'000, 2));
  testing::Nginx nginx(root_.path(), tls(kShowsProtocol));
  HttpEngine engine{HttpEngineOptions{}};
  HttpRequest request = trusting(nginx.url() + "small", nginx.ca_path());
  auto sink = fetch(engine, request, &status_);
  ASSERT_TRUE(status_.ok()) << status_.error().message;
  EXPECT_EQ(sink->bytes(), "hello");
  EXPECT_EQ(sink->header("x-protocol"), "HTTP/2.0");

  request = trusting(nginx.url() + "big", nginx.ca_path());
  request.range = {0, 2'000'000};
  sink = fetch(engine, request, &status_);
  EXPECT_EQ(sink->header("x-protocol"), "HTTP/1.1") << "bulk ranges have connections of their own";
  EXPECT_TRUE(sink->bytes() == testing::noise(2'000'000, 2));

  HttpEngineOptions old;
  old.http2 = false;
  HttpEngine engine1(old);
  sink = fetch(engine1, trusting(nginx.url() + "small", nginx.ca_path()), &status_);
  EXPECT_EQ(sink->header("x-protocol"), "HTTP/1.1");
}

TEST_F(EngineTlsTest, ManySmallRequestsShareOneHttp2Connection) {
  testing::Nginx nginx(root_.path(), tls());
  HttpEngine engine{HttpEngineOptions{}};
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (int i = 0; i < 100; ++i) {
    sinks.push_back(std::make_shared<RecordingSink>());
    (void)engine.submit(trusting(nginx.url() + "small", nginx.ca_path()), sinks.back());
  }
  for (const auto& sink : sinks) {
    const Status status = sink->wait();
    ASSERT_TRUE(status.ok()) << status.error().message;
    EXPECT_EQ(sink->bytes(), "hello");
  }
  EXPECT_EQ(engine.stats().connections_opened, 1U);
}

TEST_F(EngineTlsTest, RefusesAnUnknownCa) {
  testing::Nginx nginx(root_.path(), tls());
  testing::Nginx other(root_.path(), tls());
  HttpEngine engine{HttpEngineOptions{}};
  for (const HttpRequest& request :
       {get(nginx.url() + "small"), trusting(nginx.url() + "small", other.ca_path())}) {
    const auto sink = fetch(engine, request, &status_);
    ASSERT_FALSE(status_.ok());
    EXPECT_EQ(status_.error().code, Code::access_denied);
    EXPECT_THAT(status_.error().message,
                AllOf(HasSubstr("localhost"), HasSubstr("certificate"), HasSubstr("issuer")));
    EXPECT_FALSE(sink->head());
  }
  EXPECT_TRUE(nginx.access_log().empty());
  (void)fetch(engine, trusting(nginx.url() + "small", nginx.ca_path()), &status_);
  EXPECT_TRUE(status_.ok()) << "trust is per request";
  (void)fetch(engine, trusting(nginx.url() + "small", other.ca_path()), &status_);
  EXPECT_EQ(status_.error().code, Code::access_denied)
      << "a connection is not shared with those who do not trust it";
  (void)fetch(engine, trusting(nginx.url() + "small", root_.path() / "none.pem"), &status_);
  EXPECT_EQ(status_.error().code, Code::access_denied);
}

TEST_F(EngineTlsTest, RefusesAnotherHostsCertificate) {
  testing::Nginx nginx(root_.path(), tls());
  HttpEngine engine{HttpEngineOptions{}};
  testing::Relay relay(nginx.port());
  (void)fetch(
      engine,
      trusting("https://LOCALHOST:" + std::to_string(relay.port()) + "/small", nginx.ca_path()),
      &status_);
  EXPECT_TRUE(status_.ok()) << "names are compared without case";
  const std::string wrong = "https://ip6-loopback.localhost:" + std::to_string(relay.port()) + "/";
  (void)fetch(engine, trusting(wrong, nginx.ca_path()), &status_);
  ASSERT_FALSE(status_.ok());
  EXPECT_EQ(status_.error().code, Code::access_denied);
  EXPECT_THAT(status_.error().message, HasSubstr("subject name"));
}

TEST_F(EngineTlsTest, AsksTheSystemsDirectoryBesideTheGivenFile) {
  testing::Nginx nginx(root_.path(), tls());
  // A CA that has nothing to do with the server, under a name of its own.
  testing::TempDir work;
  const std::string unrelated = work.path() / "unrelated.pem";
  ASSERT_EQ(testing::run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                          "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=unrelated CA",
                          "-keyout", work.path() / "key", "-out", unrelated})
                .status,
            0);
  const auto system_with = [&](const std::string& name, const std::filesystem::path& ca) {
    std::filesystem::create_directory(work.path() / name);
    std::filesystem::copy(ca, work.path() / name / "ca.pem");
    EXPECT_EQ(testing::run({"openssl", "rehash", work.path() / name}).status, 0);
    HttpEngineOptions options;
    options.system_ca_dir = work.path() / name;
    return options;
  };
  HttpEngine knows_it(system_with("good", nginx.ca_path()));
  (void)fetch(knows_it, trusting(nginx.url() + "small", unrelated), &status_);
  EXPECT_TRUE(status_.ok()) << "by the directory: " << status_.error().message;
  HttpEngine knows_another(system_with("other", unrelated));
  (void)fetch(knows_another, trusting(nginx.url() + "small", nginx.ca_path()), &status_);
  EXPECT_TRUE(status_.ok()) << "by the file: " << status_.error().message;
  HttpEngine knows_none(system_with("none", unrelated));
  (void)fetch(knows_none, trusting(nginx.url() + "small", unrelated), &status_);
  EXPECT_FALSE(status_.ok()) << "by neither";
}

TEST_F(EngineTlsTest, SpeakingTlsToAPlainServerIsUnreachable) {
  testing::Nginx nginx(root_.path());
  HttpEngine engine{HttpEngineOptions{}};
  (void)fetch(engine, get("https://127.0.0.1:" + std::to_string(nginx.port()) + "/"), &status_);
  ASSERT_FALSE(status_.ok());
  EXPECT_EQ(status_.error().code, Code::unreachable);
  EXPECT_THAT(status_.error().message, HasSubstr("TLS"));
}

TEST_F(EngineTlsTest, ClientCertificates) {
  // The server's own certificate, issued by the same CA, serves as the client's.
  testing::Nginx plain(root_.path(), tls());
  const auto dir = plain.ca_path().parent_path();
  testing::Nginx strict(root_.path(), tls("ssl_client_certificate " + plain.ca_path().string() +
                                          "; ssl_verify_client on;"));
  HttpEngine engine{HttpEngineOptions{}};
  HttpIdentity identity;
  identity.ca_cert_path = strict.ca_path();
  HttpRequest request = get(strict.url() + "small");
  request.identity = std::make_shared<const HttpIdentity>(identity);
  EXPECT_EQ(fetch(engine, request, &status_)->http_status(), 400) << "nginx wants a certificate";
  identity.client_cert_path = dir / "leaf.pem";
  identity.client_key_path = dir / "leaf.key";
  request.identity = std::make_shared<const HttpIdentity>(identity);
  EXPECT_EQ(fetch(engine, request, &status_)->http_status(), 200);
  identity.client_key_path = dir / "ca.key";
  request.identity = std::make_shared<const HttpIdentity>(identity);
  HttpEngine fresh{HttpEngineOptions{}};  // no connection to use again
  (void)fetch(fresh, request, &status_);
  ASSERT_FALSE(status_.ok()) << "the key does not belong to the certificate";
  EXPECT_EQ(status_.error().code, Code::access_denied);
}

}  // namespace
}  // namespace lazyvol::net
