// The test servers themselves, asked by curl(1): a fixture that lies makes every other test lie.
#include "support/servers.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace lazyvol::testing {
namespace {

CommandResult curl(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"curl", "-sS", "--fail", "--max-time", "20"});
  return run(arguments);
}

TEST(Command, GivesStatusAndOutput) {
  const auto result = run({"sh", "-c", "echo out; echo err >&2; exit 3"});
  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(result.output, "out\nerr\n");
  EXPECT_EQ(run({"/nonexistent/program"}).status, 127);
}

TEST(Command, DoesNotWaitForWhatItLeavesBehind) {
  const auto result = run({"sh", "-c", "sleep 5 & echo $!"});
  EXPECT_EQ(result.status, 0);
  run({"kill", result.output.substr(0, result.output.find('\n'))});
}

TEST(NginxServer, ServesListsAndLogs) {
  TempDir dir;
  write_file(dir.path() / "a b.txt", "0123456789");
  Nginx nginx(dir.path());
  EXPECT_NE(curl({nginx.url()}).output.find("\"a b.txt\""), std::string::npos);
  EXPECT_EQ(curl({"-r", "2-4", nginx.url() + "a%20b.txt"}).output, "234");
  const auto log = nginx.access_log();
  ASSERT_EQ(log.size(), 2u);
  EXPECT_EQ(log[1].method, "GET");
  EXPECT_EQ(log[1].uri, "/a%20b.txt");
  EXPECT_EQ(log[1].range, "bytes=2-4");
  EXPECT_EQ(log[1].status, 206);
  EXPECT_EQ(log[1].body_bytes, 3u);
  nginx.clear_access_log();
  EXPECT_EQ(nginx.body_bytes_sent(), 0u);
  nginx.stop();
  EXPECT_NE(curl({nginx.url()}).status, 0);
  nginx.start();
  EXPECT_EQ(curl({nginx.url() + "a%20b.txt"}).output, "0123456789");
  EXPECT_EQ(nginx.body_bytes_sent(), 10u);
}

TEST(NginxServer, AsksForCredentials) {
  TempDir dir;
  write_file(dir.path() / "f", "x");
  NginxOptions basic;
  basic.user = "u";
  basic.password = "p w";
  Nginx with_password(dir.path(), basic);
  EXPECT_NE(curl({with_password.url() + "f"}).status, 0);
  EXPECT_EQ(curl({"-u", "u:p w", with_password.url() + "f"}).output, "x");

  NginxOptions bearer;
  bearer.bearer_token = "t0ken";
  Nginx with_token(dir.path(), bearer);
  EXPECT_NE(curl({with_token.url() + "f"}).status, 0);
  EXPECT_EQ(curl({"-H", "Authorization: Bearer t0ken", with_token.url() + "f"}).output, "x");
}

TEST(NginxServer, SpeaksTlsAndHttp2) {
  TempDir dir;
  write_file(dir.path() / "f", "x");
  NginxOptions options;
  options.tls = true;
  Nginx nginx(dir.path(), options);
  EXPECT_NE(curl({nginx.url() + "f"}).status, 0) << "the test CA must not be trusted by default";
  EXPECT_EQ(
      curl({"--cacert", nginx.ca_path().string(), "-w", " %{http_version}", nginx.url() + "f"})
          .output,
      "x 2");
}

class OtherServers : public ::testing::TestWithParam<OtherWebServer::Kind> {};

TEST_P(OtherServers, ListAndServe) {
  TempDir dir;
  write_file(dir.path() / "sub" / "file.txt", "0123456789");
  OtherWebServer server(GetParam(), dir.path());
  EXPECT_NE(curl({server.url() + "sub/"}).output.find("file.txt"), std::string::npos);
  EXPECT_EQ(curl({server.url() + "sub/file.txt"}).output, "0123456789");
}

INSTANTIATE_TEST_SUITE_P(Kinds, OtherServers,
                         ::testing::Values(OtherWebServer::Kind::apache,
                                           OtherWebServer::Kind::caddy,
                                           OtherWebServer::Kind::python),
                         [](const auto& kind) {
                           switch (kind.param) {
                             case OtherWebServer::Kind::apache:
                               return "apache";
                             case OtherWebServer::Kind::caddy:
                               return "caddy";
                             case OtherWebServer::Kind::python:
                               return "python";
                           }
                           return "unknown";
                         });

}  // namespace
}  // namespace lazyvol::testing
