// The chain of providers and the keeping of keys, with scripted services.
#include "net/aws_credentials.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <future>
#include <map>

#include "base/clock.h"
#include "base/locked.h"
#include "net/aws_chain.h"
#include "net/scripted_server.h"
#include "support/temp_dir.h"

namespace lazyvol::net {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string reply(const std::string& status, const std::string& body) {
  return fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", status,
                     body.size(), body);
}

std::string expiry(std::int64_t in_seconds) {
  const std::time_t at = base::system_clock().wall_ns() / 1'000'000'000 + in_seconds;
  char text[32];
  std::tm time{};
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", ::gmtime_r(&at, &time));
  return text;
}

std::string json_keys(const std::string& id, std::int64_t in_seconds) {
  return fmt::format(
      R"({{"Code":"Success","AccessKeyId":"{}","SecretAccessKey":"S","Token":"T","Expiration":"{}"}})",
      id, expiry(in_seconds));
}

std::string sts_keys(const std::string& id) {
  return fmt::format(
      "<R><Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>S</SecretAccessKey>"
      "<SessionToken>T</SessionToken><Expiration>{}</Expiration></Credentials></R>",
      id, expiry(3600));
}

class AwsChainTest : public ::testing::Test {
 protected:
  AwsChainTest() { variables_["AWS_EC2_METADATA_DISABLED"] = "true"; }
  ~AwsChainTest() override {
    timer_.stop();
    engine_.reset();
    blocking_.stop();
  }

  AwsEnvironment environment() {
    return {[this](const std::string& name) -> std::optional<std::string> {
              const auto variables = variables_;
              const auto found = variables.find(name);
              return found == variables.end() ? std::nullopt : std::optional(found->second);
            },
            dir_.path().string()};
  }
  Result<AwsKeys> find(const std::string& profile = "") {
    return find_aws_keys(environment(), profile, http_);
  }
  std::string id(const std::string& profile = "") {
    const auto keys = find(profile);
    return keys.ok() ? keys->access_key_id : "error: " + keys.error().message;
  }
  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const auto path = dir_.path() / name;
    testing::write_file(path, text);
    ::chmod(path.c_str(), mode);
    return path.string();
  }
  AwsCredentialsTools tools() { return {*engine_, timer_, blocking_}; }

  testing::TempDir dir_;
  std::map<std::string, std::string> variables_;
  base::TimerQueue timer_;
  base::Workers blocking_{"test-block", 2};
  std::unique_ptr<HttpEngine> engine_ = std::make_unique<HttpEngine>(HttpEngineOptions{});
  WaitingHttp http_{*engine_, timer_};
};

TEST_F(AwsChainTest, NothingFoundSaysWhereKeysMayBe) {
  const auto none = find();
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, Code::access_denied);
  EXPECT_THAT(none.error().message, HasSubstr("no-sign-request"));
}

TEST_F(AwsChainTest, TheEnvironmentComesBeforeProfilesButNotBeforeAChosenOne) {
  write(".aws/credentials",
        "[default]\naws_access_key_id=D\naws_secret_access_key=S\n"
        "[other]\naws_access_key_id=O\naws_secret_access_key=S\naws_session_token=T\n");
  EXPECT_EQ(id(), "D");
  variables_["AWS_PROFILE"] = "other";
  EXPECT_EQ(id(), "O");
  EXPECT_EQ(find()->session_token, "T");
  variables_["AWS_ACCESS_KEY_ID"] = "E";
  EXPECT_EQ(id(), "O") << "an id without its secret is none";
  variables_["AWS_SECRET_ACCESS_KEY"] = "S";
  EXPECT_EQ(id(), "E");
  EXPECT_EQ(id("default"), "D");
  variables_["AWS_PROFILE"] = "missing";
  EXPECT_THAT(id(), HasSubstr("profile 'missing'"));
}

TEST_F(AwsChainTest, CredentialProcess) {
  const std::string script =
      write("tool", "#!/bin/sh\n[ \"$1\" = 'a b' ] && echo '" + json_keys("P", 3600) + "'\n", 0755);
  write(".aws/config", "[profile p]\ncredential_process = " + script + " \"a b\"\n" +
                           "[profile broken]\ncredential_process = " + script + " other\n");
  EXPECT_EQ(id("p"), "P");
  EXPECT_TRUE(find("p")->expires_s.has_value());
  EXPECT_THAT(id("broken"), HasSubstr("credential_process: " + script + ": failed"));
}

TEST_F(AwsChainTest, WebIdentityOfTheEnvironmentAndOfAProfile) {
  base::Locked<std::string> seen;
  const ScriptedServer sts([&](const std::string& request) {
    *seen.lock() = request;
    return reply("200 OK", sts_keys("W"));
  });
  const std::string token = write("token", "jwt+/=\n");
  variables_["AWS_ENDPOINT_URL_STS"] = sts.url();
  variables_["AWS_WEB_IDENTITY_TOKEN_FILE"] = token;
  variables_["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/r";
  EXPECT_EQ(id(), "W");
  EXPECT_THAT(*seen.lock(), HasSubstr("POST / HTTP/1.1"));
  EXPECT_THAT(*seen.lock(),
              HasSubstr("Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3A"
                        "role%2Fr&RoleSessionName=lazyvol&Version=2011-06-15&"
                        "WebIdentityToken=jwt%2B%2F%3D"));
  EXPECT_THAT(*seen.lock(), Not(HasSubstr("Authorization")));
  write(".aws/config",
        "[profile w]\nrole_arn = arn:w\nrole_session_name = me\n"
        "web_identity_token_file = " +
            token + "\n");
  EXPECT_EQ(id("w"), "W");
  EXPECT_THAT(*seen.lock(), HasSubstr("RoleArn=arn%3Aw&RoleSessionName=me"));
}

TEST_F(AwsChainTest, RolesOfOtherProfiles) {
  base::Locked<std::string> seen;
  const ScriptedServer sts([&](const std::string& request) {
    *seen.lock() = request;
    return reply("200 OK", sts_keys("R"));
  });
  variables_["AWS_ENDPOINT_URL_STS"] = sts.url();
  write(".aws/config",
        "[profile role]\nrole_arn=arn:r\nsource_profile=base\nexternal_id=x\nregion=eu-west-1\n"
        "[profile self]\nrole_arn=arn:s\nsource_profile=self\naws_access_key_id=SELF\n"
        "aws_secret_access_key=S\n"
        "[profile loop1]\nrole_arn=arn:l\nsource_profile=loop2\n"
        "[profile loop2]\nrole_arn=arn:l\nsource_profile=loop1\n"
        "[profile mfa]\nrole_arn=arn:r\nsource_profile=base\nmfa_serial=m\n"
        "[profile env]\nrole_arn=arn:e\ncredential_source=Environment\n"
        "[profile sso]\nsso_session=x\n");
  write(".aws/credentials", "[base]\naws_access_key_id=BASE\naws_secret_access_key=S\n");
  EXPECT_EQ(id("role"), "R");
  EXPECT_THAT(*seen.lock(), HasSubstr("Credential=BASE/"));
  EXPECT_THAT(*seen.lock(), HasSubstr("/eu-west-1/sts/aws4_request"));
  EXPECT_THAT(*seen.lock(), HasSubstr("ExternalId=x"));
  EXPECT_EQ(id("self"), "R");
  EXPECT_THAT(*seen.lock(), HasSubstr("Credential=SELF/"));
  EXPECT_THAT(id("loop1"), HasSubstr("circle"));
  EXPECT_THAT(id("mfa"), HasSubstr("mfa_serial"));
  EXPECT_THAT(id("sso"), HasSubstr("credential_process"));
  variables_["AWS_ACCESS_KEY_ID"] = "ENV";
  variables_["AWS_SECRET_ACCESS_KEY"] = "S";
  EXPECT_EQ(id("env"), "R");
  EXPECT_THAT(*seen.lock(), HasSubstr("Credential=ENV/"));
}

TEST_F(AwsChainTest, ARefusalOfStsIsOneLineWithItsCode) {
  const ScriptedServer sts(reply("400 Bad Request",
                                 "<ErrorResponse><Error><Code>InvalidIdentityToken</Code>"
                                 "<Message>hunter2</Message></Error></ErrorResponse>"));
  variables_["AWS_ENDPOINT_URL_STS"] = sts.url();
  variables_["AWS_WEB_IDENTITY_TOKEN_FILE"] = write("token", "jwt");
  variables_["AWS_ROLE_ARN"] = "arn:r";
  const auto keys = find();
  ASSERT_FALSE(keys.ok());
  EXPECT_EQ(keys.error().code, Code::access_denied);
  EXPECT_THAT(keys.error().message, HasSubstr("InvalidIdentityToken"));
  EXPECT_THAT(keys.error().message, Not(HasSubstr("hunter2")));
  EXPECT_EQ(sts.requests(), 1);
}

TEST_F(AwsChainTest, ContainerEndpointWithItsToken) {
  base::Locked<std::string> seen;
  const ScriptedServer agent([&](const std::string& request) {
    *seen.lock() = request;
    return reply("200 OK", json_keys("C", 3600));
  });
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = agent.url() + "v1/credentials";
  variables_["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "plain";
  EXPECT_EQ(id(), "C");
  EXPECT_THAT(*seen.lock(), HasSubstr("GET /v1/credentials HTTP"));
  EXPECT_THAT(*seen.lock(), HasSubstr("Authorization: plain\r\n"));
  variables_["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = write("token", "from-file\n");
  EXPECT_EQ(id(), "C");
  EXPECT_THAT(*seen.lock(), HasSubstr("Authorization: from-file\r\n"));
}

TEST_F(AwsChainTest, ServicesOfTheMachineAreNotAskedThroughAProxy) {
  const ScriptedServer proxy(reply("502 Bad Gateway", ""));
  const ScriptedServer agent(reply("200 OK", json_keys("C", 3600)));
  ::setenv("http_proxy", proxy.url().c_str(), 1);
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = agent.url();
  EXPECT_EQ(id(), "C");
  EXPECT_EQ(proxy.requests(), 0);
  ::unsetenv("http_proxy");
}

TEST_F(AwsChainTest, KeysAreNotAskedOfStrangersInTheClear) {
  for (const char* url : {"http://example.com/x", "http://10.0.0.1/", "http://169.254.170.3/",
                          "http://127.0.0.1.example.com/", "http://[fd00:ec2::24]/"}) {
    variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url;
    EXPECT_THAT(id(), HasSubstr("must be https")) << url;
  }
}

TEST_F(AwsChainTest, InstanceMetadataVersion2) {
  const ScriptedServer service([&](const std::string& request) {
    if (request.starts_with("PUT /latest/api/token")) {
      EXPECT_THAT(request, HasSubstr("X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"));
      return reply("200 OK", "session");
    }
    EXPECT_THAT(request, HasSubstr("X-aws-ec2-metadata-token: session\r\n"));
    const bool role = request.starts_with("GET /latest/meta-data/iam/security-credentials/ HTTP");
    return reply("200 OK", role ? "the-role\n" : json_keys("I", 3600));
  });
  variables_["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = service.url();
  EXPECT_THAT(id(), HasSubstr("no AWS keys")) << "disabled";
  EXPECT_EQ(service.requests(), 0);
  variables_.erase("AWS_EC2_METADATA_DISABLED");
  EXPECT_EQ(id(), "I");
  EXPECT_EQ(service.requests(), 3);
  const ScriptedServer none(reply("404 Not Found", ""));
  variables_["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = none.url();
  EXPECT_THAT(id(), HasSubstr("no AWS keys"));
}

class AwsCredentialsTest : public AwsChainTest {
 protected:
  std::unique_ptr<AwsCredentials> make(std::shared_ptr<Credentials> file = nullptr) {
    return std::make_unique<AwsCredentials>(
        AwsCredentialsOptions{false, "", environment(), std::move(file)}, tools());
  }
  template <class Call>
  static Result<AwsCredentials::Keys> wait(Call call) {
    auto answer = std::make_shared<std::promise<Result<AwsCredentials::Keys>>>();
    call([answer](Result<AwsCredentials::Keys> keys) { answer->set_value(std::move(keys)); });
    return answer->get_future().get();
  }
  static Result<AwsCredentials::Keys> get(AwsCredentials& credentials) {
    return wait([&](auto done) { credentials.get(done); });
  }
  static std::string id_of(const Result<AwsCredentials::Keys>& keys) {
    return keys.ok() ? (*keys)->access_key_id : "error: " + keys.error().message;
  }
  void serve(const ScriptedServer& server) {
    variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.url();
  }
};

TEST_F(AwsCredentialsTest, ManyAskersAreOneQuestion) {
  const ScriptedServer agent(reply("200 OK", json_keys("C", 3600)));
  serve(agent);
  const auto credentials = make();
  EXPECT_EQ(credentials->ready(), std::nullopt);
  std::vector<std::future<std::string>> askers;
  for (int i = 0; i < 8; ++i) {
    askers.push_back(std::async(std::launch::async, [&] { return id_of(get(*credentials)); }));
  }
  for (auto& asker : askers) EXPECT_EQ(asker.get(), "C");
  EXPECT_EQ(agent.requests(), 1);
  EXPECT_EQ((*credentials->ready())->access_key_id, "C");
}

TEST_F(AwsCredentialsTest, KeysThatEndSoonAreReplacedInTheBackground) {
  std::atomic<int> asked{0};
  const ScriptedServer agent([&](const std::string&) {
    return reply("200 OK", ++asked == 1 ? json_keys("old", 20) : json_keys("new", 3600));
  });
  serve(agent);
  const auto credentials = make();
  EXPECT_EQ(id_of(get(*credentials)), "old") << "better than none";
  EXPECT_EQ(id_of(get(*credentials)), "old") << "asked a moment ago";
  EXPECT_EQ(agent.requests(), 1);
}

TEST_F(AwsCredentialsTest, AFailureStandsForAMoment) {
  const ScriptedServer agent(reply("403 Forbidden", ""));
  serve(agent);
  const auto credentials = make();
  for (int i = 0; i < 5; ++i) {
    const auto keys = get(*credentials);
    ASSERT_FALSE(keys.ok());
    EXPECT_EQ(keys.error().code, Code::access_denied);
  }
  EXPECT_EQ(agent.requests(), 1);
}

TEST_F(AwsCredentialsTest, RefusedKeysAreLookedForOnce) {
  std::atomic<int> asked{0};
  const ScriptedServer agent([&](const std::string&) {
    ++asked;
    return reply("200 OK", json_keys("same", 3600));
  });
  serve(agent);
  const auto credentials = make();
  const auto keys = *get(*credentials);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(id_of(wait([&](auto done) { credentials->renew(keys, done); })), "same");
  }
  EXPECT_LE(asked, 2);
}

TEST_F(AwsCredentialsTest, AChangedFileIsReadAtOnceAfterARefusal) {
  const std::string path = write("c.toml", "access-key-id='one'\nsecret-access-key='S'\n");
  const auto credentials = make(*Credentials::open(path, ""));
  const auto keys = *get(*credentials);
  EXPECT_EQ(keys->access_key_id, "one");
  EXPECT_EQ(*wait([&](auto done) { credentials->renew(keys, done); }), keys);
  write("c.toml", "access-key-id='two'\nsecret-access-key='S'\nsession-token='T'\n");
  EXPECT_EQ(id_of(wait([&](auto done) { credentials->renew(keys, done); })), "two");
  EXPECT_EQ(id_of(get(*credentials)), "two");
}

TEST_F(AwsCredentialsTest, AnonymousAsksNobody) {
  AwsCredentials credentials({true, "", environment(), nullptr}, tools());
  EXPECT_EQ(*credentials.ready(), nullptr);
  EXPECT_EQ(*get(credentials), nullptr);
}

TEST_F(AwsCredentialsTest, CloseEndsAQuestion) {
  write(".aws/config", "[default]\ncredential_process = sleep 1000\n");
  const auto credentials = make();
  std::promise<Result<AwsCredentials::Keys>> answer;
  credentials->get([&](Result<AwsCredentials::Keys> keys) { answer.set_value(std::move(keys)); });
  credentials->close();
  EXPECT_EQ(answer.get_future().get().error().code, Code::cancelled);
  EXPECT_EQ(get(*credentials).error().code, Code::cancelled);
}

}  // namespace
}  // namespace lazyvol::net
