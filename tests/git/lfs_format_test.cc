// What is read of git-lfs without a server: pointers, answers, URLs, names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "git/lfs_batch.h"
#include "git/lfs_endpoint.h"
#include "git/lfs_pointer.h"
#include "git/object_name.h"

namespace lazyvol::git {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kOid(64, 'a');
const std::string kVersion = "version https://git-lfs.github.com/spec/v1\n";

std::string pointer(const std::string& oid, const std::string& size) {
  return kVersion + "oid sha256:" + oid + "\nsize " + size + "\n";
}

TEST(LfsPointer, IsThreeLines) {
  const auto parsed = parse_lfs_pointer(pointer(kOid, "12345"));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->oid, kOid);
  EXPECT_EQ(parsed->size, 12345U);
  EXPECT_EQ(parse_lfs_pointer(pointer(kOid, "0"))->size, 0U);
  EXPECT_EQ(parse_lfs_pointer(pointer(kOid, std::to_string(kMaxLfsSize)))->size, kMaxLfsSize);
}

TEST(LfsPointer, OfAnyOtherFormIsAFileLikeAnyOther) {
  const std::string good = pointer(kOid, "1");
  const std::string cases[] = {
      "",
      kVersion,
      good.substr(0, good.size() - 1),
      good + "\n",
      good + "more 1\n",
      "\n" + good,
      pointer(std::string(63, 'a'), "1"),
      pointer(std::string(65, 'a'), "1"),
      pointer(std::string(64, 'A'), "1"),
      pointer(std::string(62, 'a') + "/.", "1"),
      pointer(kOid, ""),
      pointer(kOid, "-1"),
      pointer(kOid, "01"),
      pointer(kOid, "1 "),
      pointer(kOid, "0x10"),
      pointer(kOid, std::to_string(kMaxLfsSize + 1)),
      pointer(kOid, "18446744073709551616"),
      pointer(kOid, std::string(2000, '9')),
      "version https://git-lfs.github.com/spec/v2\noid sha256:" + kOid + "\nsize 1\n",
      kVersion + "ext-0-x sha256:" + kOid + "\noid sha256:" + kOid + "\nsize 1\n",
      kVersion + "size 1\noid sha256:" + kOid + "\n",
      kVersion + "oid md5:" + kOid + "\nsize 1\n",
  };
  for (const std::string& text : cases) EXPECT_FALSE(parse_lfs_pointer(text)) << text;
}

TEST(LfsObjectName, LeadsBack) {
  const LfsPointer object{kOid, 77};
  EXPECT_EQ(lfs_object_name(0, object), "lfs-" + kOid + "-77");
  EXPECT_EQ(lfs_object_name(12, object), "12-lfs-" + kOid + "-77");
  for (const std::uint16_t remote : {std::uint16_t{0}, std::uint16_t{1}, std::uint16_t{65535}}) {
    const auto place = parse_lfs_object_name(lfs_object_name(remote, object));
    ASSERT_TRUE(place) << remote;
    EXPECT_EQ(place->remote, remote);
    EXPECT_EQ(place->object, object);
    EXPECT_FALSE(parse_object_name(lfs_object_name(remote, object)));
  }
  for (const std::string& bad :
       {"lfs-" + kOid, "lfs-" + kOid + "-", "lfs-" + kOid + "-x", "0-lfs-" + kOid + "-1",
        "65536-lfs-" + kOid + "-1", "lfs-" + kOid + "-1-1", kOid, std::string("lfs-")}) {
    EXPECT_FALSE(parse_lfs_object_name(bad)) << bad;
  }
}

TEST(LfsEndpoint, IsBesideTheRepository) {
  using Kind = LfsEndpoint::Kind;
  const std::tuple<const char*, Kind, const char*> cases[] = {
      {"https://h/g/p.git", Kind::http, "https://h/g/p.git/info/lfs"},
      {"https://h/g/p", Kind::http, "https://h/g/p.git/info/lfs"},
      {"http://h:81/g/p/", Kind::http, "http://h:81/g/p.git/info/lfs"},
      {"ssh://git@h:22/g/p.git", Kind::ssh, "ssh://git@h:22/g/p.git"},
      {"git@h:g/p.git", Kind::ssh, "git@h:g/p.git"},
      {"file:///srv/p.git", Kind::file, "/srv/p.git"},
  };
  for (const auto& [url, kind, expected] : cases) {
    const auto endpoint = lfs_endpoint(url, "");
    ASSERT_TRUE(endpoint.ok()) << url;
    EXPECT_EQ(endpoint->kind, kind) << url;
    EXPECT_EQ(endpoint->url, expected);
  }
}

TEST(LfsEndpoint, OfLfsconfigStaysOnTheHost) {
  EXPECT_EQ(lfs_endpoint("https://h/p.git", "https://h:8443/lfs/")->url, "https://h:8443/lfs");
  EXPECT_EQ(lfs_endpoint("ssh://git@h/p.git", "https://h/lfs")->url, "https://h/lfs");
  EXPECT_EQ(lfs_endpoint("http://h/p.git", "http://h/lfs")->url, "http://h/lfs");
  const std::pair<const char*, const char*> refused[] = {
      {"https://h/p.git", "https://elsewhere/lfs"},
      {"https://h/p.git", "http://h/lfs"},
      {"ssh://h/p.git", "http://h/lfs"},
      {"https://h/p.git", "file:///etc"},
      {"file:///srv/p.git", "https://h/lfs"},
      {"https://h/p.git", "https://u:p@h/lfs"},
      {"https://h/p.git", "https://h.evil/lfs"},
      {"https://h/p.git", "https://h/lfs?x"},
      {"https://h/p.git", "/srv/lfs"},
      {"https://h/p.git", ""},
  };
  for (const auto& [remote, url] : refused) EXPECT_FALSE(is_allowed_lfs_url(remote, url)) << url;
}

std::string answer(const std::string& object) {
  return R"({"transfer":"basic","objects":[{"oid":")" + kOid + R"(","size":1,)" + object + "}]}";
}

Result<LfsAction> parse_one(const std::string& object, bool tls = false, std::int64_t now = 0) {
  auto answers = parse_lfs_batch(answer(object), {tls, now});
  if (!answers.ok()) return answers.error();
  return answers->at(kOid);
}

std::string download(const std::string& members) {
  return R"("actions":{"download":{)" + members + "}}";
}

TEST(LfsBatch, AsksAsTheApiHasIt) {
  EXPECT_EQ(lfs_batch_request(std::vector<LfsPointer>{{kOid, 7}}),
            R"({"hash_algo":"sha256","objects":[{"oid":")" + kOid +
                R"(","size":7}],"operation":"download","transfers":["basic"]})");
}

TEST(LfsBatch, TellsWhereAnObjectIs) {
  const auto action = parse_one(download(R"("href":"https://h/o?sig=1","header":{"Key":"v",)"
                                         R"("Range":"bytes=0-","Host":"x"},"expires_in":90)") +
                                R"(,"authenticated":true)");
  ASSERT_TRUE(action.ok()) << action.error().message;
  EXPECT_EQ(action->url, "https://h/o?sig=1");
  EXPECT_THAT(action->headers, ::testing::ElementsAre(::testing::Pair("Key", "v")));
  EXPECT_EQ(action->valid_s, 90);
  EXPECT_TRUE(action->authenticated);
}

TEST(LfsBatch, TellsForHowLong) {
  const auto valid = [](const std::string& more) {
    return parse_one(download(R"("href":"http://h/o")" + more), false, 1'600'000'000)->valid_s;
  };
  EXPECT_EQ(valid(""), std::nullopt);
  EXPECT_EQ(valid(R"(,"expires_in":-5)"), 0);
  EXPECT_EQ(valid(R"(,"expires_at":"2020-09-13T12:27:40Z")"), 60);
  EXPECT_EQ(valid(R"(,"expires_in":7,"expires_at":"2020-09-13T12:27:40Z")"), 7);
  EXPECT_EQ(valid(R"(,"expires_at":"0001-01-01T00:00:00Z")"), std::nullopt);
  EXPECT_EQ(valid(R"(,"expires_in":99999999999999)"), std::nullopt);
  EXPECT_EQ(valid(R"(,"expires_at":"soon")"), std::nullopt);
}

TEST(LfsBatch, HasErrorsOfSingleObjects) {
  const std::string missing = R"("error":{"code":404,"message":"gone\u001b[31m"})";
  const auto gone = parse_one(missing);
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().code, Code::io_error);
  EXPECT_TRUE(gone.error().retry_after);
  EXPECT_THAT(gone.error().message, HasSubstr("gone"));
  EXPECT_THAT(gone.error().message, Not(HasSubstr("\x1b")));
  EXPECT_EQ(parse_one(R"("error":{"code":403})").error().code, Code::access_denied);
  EXPECT_FALSE(parse_one(R"("error":{"code":503})").error().retry_after);
}

TEST(LfsBatch, LeadsToNothingOdd) {
  const std::string cases[] = {
      download(R"("href":"file:///etc/passwd")"),
      download(R"("href":"https://u:p@h/")"),
      download(R"("href":"/relative")"),
      download(R"("href":7)"),
      download(""),
      download(R"("href":"https://h/)" + std::string(20'000, 'x') + "\""),
      download(R"("href":"https://h/o","header":{"a b":"c"})"),
      download(R"("href":"https://h/o","header":{"A":"b\r\nC: d"})"),
      download(R"("href":"https://h/o","header":{"A":7})"),
      R"("actions":{})",
      R"("actions":[])",
      R"("size":1)",
  };
  for (const std::string& one : cases) EXPECT_FALSE(parse_one(one).ok()) << one.substr(0, 200);
  EXPECT_EQ(parse_one(download(R"("href":"http://h/o")"), true).error().code, Code::access_denied);
}

TEST(LfsBatch, ThatIsNoneIsAnError) {
  for (const std::string text :
       {"", "[]", "null", "{}", "{", R"({"objects":{}})", R"({"transfer":"tus","objects":[]})",
        R"({"hash_algo":"sha512","objects":[]})", "<html>"}) {
    EXPECT_FALSE(parse_lfs_batch(text, {}).ok()) << text;
  }
  const auto odd = parse_lfs_batch(R"({"objects":[7,{},{"oid":"x"},null]})", {});
  ASSERT_TRUE(odd.ok());
  EXPECT_TRUE(odd->empty());
}

TEST(LfsAuthentication, IsAnAction) {
  const auto action = parse_lfs_authentication(
      R"({"href":"https://h/lfs","header":{"Authorization":"RemoteAuth t"},"expires_in":60})", {});
  ASSERT_TRUE(action.ok());
  EXPECT_EQ(action->url, "https://h/lfs");
  EXPECT_EQ(action->headers.size(), 1U);
  EXPECT_TRUE(parse_lfs_authentication("{}", {})->url.empty());
  EXPECT_FALSE(parse_lfs_authentication("Permission denied", {}).ok());
}

}  // namespace
}  // namespace lazyvol::git
