// What is read of AWS's files and documents: ini, XML, JSON, command lines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "net/aws_config.h"
#include "net/aws_providers.h"
#include "net/ini_file.h"
#include "net/key_command.h"
#include "net/xml_reader.h"
#include "support/temp_dir.h"

namespace lazyvol::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

TEST(IniFile, SectionsKeysAndComments) {
  const auto file = parse_ini(
      "# a comment\r\n"
      "[default]\n"
      "aws_access_key_id = AKIA\r\n"
      "AWS_Secret_Access_Key=a=b/c+d  \n"
      "region = eu-west-1 # here\n"
      "; another\n"
      "s3 =\n"
      "  max_concurrent_requests = 20\n"
      "[ profile   with spaces ] # comment\n"
      "  region = x;y\n"
      "region=z\n"
      "[empty]\n");
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_THAT(file->at("default"), ElementsAre(Pair("aws_access_key_id", "AKIA"),
                                               Pair("aws_secret_access_key", "a=b/c+d"),
                                               Pair("region", "eu-west-1"), Pair("s3", "")));
  EXPECT_THAT(file->at("profile with spaces"), ElementsAre(Pair("region", "z")));
  EXPECT_TRUE(file->at("empty").empty());
}

TEST(IniFile, SaysWhereItIsBrokenAndNotHow) {
  for (const char* text : {"hunter2 = x\n", "[a]\nhunter2\n", "[a]\n= hunter2\n", "[hunter2\n"}) {
    const auto file = parse_ini(text);
    ASSERT_FALSE(file.ok()) << text;
    EXPECT_THAT(file.error().message, HasSubstr("line "));
    EXPECT_THAT(file.error().message, Not(HasSubstr("hunter2")));
  }
  EXPECT_FALSE(parse_ini(std::string(kMaxIniBytes + 1, '#')).ok());
}

TEST(XmlReader, FindsTheTextsOfADocument) {
  const auto texts = xml_texts(
      "<?xml version='1.0' encoding='UTF-8'?>\n<Error xmlns='urn:x'><Code>NoSuch&amp;Key</Code>"
      "<Message><![CDATA[a<b]]></Message><Code>second</Code><Empty/></Error>");
  ASSERT_TRUE(texts.ok()) << texts.error().message;
  EXPECT_EQ(texts->at("Code"), "NoSuch&Key");
  EXPECT_EQ(texts->at("Message"), "a<b");
  EXPECT_EQ(texts->at("Empty"), "");
}

TEST(XmlReader, RefusesWhatIsCutShortOrHostile) {
  std::string deep, many = "<a>";
  for (int i = 0; i < 20; ++i) deep += "<a>";
  for (int i = 0; i < 300; ++i) many += "<b" + std::to_string(i) + "/>";
  for (const std::string& text :
       {std::string(), std::string("<a><b></b>"), std::string("<a>\x01</a>"), std::string("text"),
        std::string("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>"),
        std::string("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>"), std::string("<a>&e;</a>"),
        deep, many + "</a>", "<a>" + std::string(70'000, 'x') + "</a>"}) {
    const auto texts = xml_texts(text);
    ASSERT_FALSE(texts.ok()) << text.substr(0, 60);
    EXPECT_EQ(texts.error().code, Code::corrupt) << text.substr(0, 60);
  }
}

TEST(AwsKeyDocuments, JsonAndSts) {
  const auto json =
      parse_json_keys(R"({"Version":1,"AccessKeyId":"A","SecretAccessKey":"S","SessionToken":"T",)"
                      R"("Expiration":"2026-11-25T12:00:00.5+01:00"})");
  ASSERT_TRUE(json.ok()) << json.error().message;
  EXPECT_EQ(*json, (AwsKeys{"A", "S", "T", 1'795'604'400}));
  EXPECT_EQ(
      parse_json_keys(R"({"AccessKeyId":"A","SecretAccessKey":"S","Token":"T"})")->session_token,
      "T");
  for (const char* text :
       {"", "[]", "{}", "hunter2", R"({"AccessKeyId":"A"})", R"({"AccessKeyId":1})",
        R"({"AccessKeyId":"A","SecretAccessKey":"hunter2","Expiration":"soon"})"}) {
    const auto keys = parse_json_keys(text);
    ASSERT_FALSE(keys.ok()) << text;
    EXPECT_EQ(keys.error().code, Code::corrupt);
    EXPECT_THAT(keys.error().message, Not(HasSubstr("hunter2")));
  }
  const auto sts = parse_sts_keys(
      "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>A</AccessKeyId>"
      "<SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>"
      "<Expiration>2026-11-25T12:00:00Z</Expiration></Credentials></AssumeRoleResult>"
      "</AssumeRoleResponse>");
  ASSERT_TRUE(sts.ok()) << sts.error().message;
  EXPECT_EQ(*sts, (AwsKeys{"A", "S", "T", 1'795'608'000}));
  EXPECT_FALSE(parse_sts_keys("<ErrorResponse/>").ok());
}

TEST(KeyCommand, IsTakenApartWithoutAShell) {
  EXPECT_THAT(*split_command(R"(/opt/my\ tool "a b" 'c $HOME "d"' e"f"g "")"),
              ElementsAre("/opt/my tool", "a b", "c $HOME \"d\"", "efg", ""));
  for (const char* line : {"", "  ", "a 'b", "a \"b"}) EXPECT_FALSE(split_command(line).ok());
}

TEST(KeyCommand, GivesWhatItPrints) {
  using std::chrono::minutes;
  EXPECT_EQ(*run_key_command({"printf", "%s", "a b"}, minutes(1), {}), "a b");
  const auto failed = run_key_command({"sh", "-c", "echo hunter2; exit 3"}, minutes(1), {});
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(failed.error().message, HasSubstr("status 3"));
  EXPECT_THAT(failed.error().message, Not(HasSubstr("hunter2")));
  EXPECT_EQ(run_key_command({"/no/such/program"}, minutes(1), {}).error().code, Code::io_error);
  EXPECT_EQ(run_key_command({"yes"}, minutes(1), {}).error().code, Code::too_large);
}

TEST(KeyCommand, IsEndedWhenItTakesTooLong) {
  const auto late = run_key_command({"sleep", "1000"}, std::chrono::milliseconds(1), {});
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, Code::timed_out);
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = run_key_command({"sleep", "1000"}, std::chrono::hours(1), stop.get_token());
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, Code::cancelled);
}

class AwsConfigTest : public ::testing::Test {
 protected:
  AwsEnvironment environment() {
    return {[this](const std::string& name) -> std::optional<std::string> {
              const auto found = variables_.find(name);
              return found == variables_.end() ? std::nullopt : std::optional(found->second);
            },
            dir_.path().string()};
  }
  void write(const std::string& name, const std::string& text) {
    testing::write_file(dir_.path() / name, text);
  }

  testing::TempDir dir_;
  std::map<std::string, std::string> variables_;
};

TEST_F(AwsConfigTest, MergesBothFiles) {
  write(".aws/config",
        "[default]\nregion = r0\n[profile a]\nregion = ra\naws_access_key_id = open\n"
        "[profile b]\nregion = rb\n");
  write(".aws/credentials", "[a]\naws_access_key_id = secret\n");
  auto config = AwsConfig::load(environment(), "");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->profile_name(), "default");
  EXPECT_FALSE(config->profile_is_chosen());
  EXPECT_EQ(config->region(), "r0");
  EXPECT_EQ(*config->profile("a")->find("aws_access_key_id"), "secret");
  EXPECT_EQ(config->profile("c"), std::nullopt);
  variables_["AWS_PROFILE"] = "b";
  EXPECT_EQ(AwsConfig::load(environment(), "")->region(), "rb");
  EXPECT_EQ(AwsConfig::load(environment(), "a")->region(), "ra");
  variables_["AWS_DEFAULT_REGION"] = "rd";
  EXPECT_EQ(AwsConfig::load(environment(), "a")->region(), "rd");
  variables_["AWS_REGION"] = "re";
  EXPECT_EQ(AwsConfig::load(environment(), "a")->region(), "re");
}

TEST_F(AwsConfigTest, FilesMayLieElsewhereOrNowhere) {
  EXPECT_EQ(AwsConfig::load(environment(), "")->region(), "");
  write("c", "[profile x]\nregion = here\n");
  variables_["AWS_CONFIG_FILE"] = "~/c";
  EXPECT_EQ(AwsConfig::load(environment(), "x")->region(), "here");
  const auto before = AwsConfig::stamps(environment());
  write("c", "[profile x]\nregion = there, longer\n");
  EXPECT_NE(AwsConfig::stamps(environment()), before);
  const auto missing = AwsConfig::load(environment(), "y");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, Code::invalid_argument);
  EXPECT_THAT(missing.error().message, HasSubstr("profile 'y'"));
  write("c", "[profile x\n");
  EXPECT_THAT(AwsConfig::load(environment(), "").error().message, HasSubstr("/c: line 1"));
}

}  // namespace
}  // namespace lazyvol::net
