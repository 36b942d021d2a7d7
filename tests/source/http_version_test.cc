#include "source/http_version.h"

#include <gtest/gtest.h>

namespace lazyvol::source {
namespace {

constexpr const char* kDate = "Sun, 06 Nov 1994 08:49:37 GMT";  // 784111777 = 0x2ebc98a1
constexpr std::int64_t kNow = 1'600'000'000;

net::HeaderFields fields(std::initializer_list<std::pair<const char*, const char*>> list) {
  net::HeaderFields out;
  for (const auto& [name, value] : list) out.add(name, value);
  return out;
}

std::string validator_of(std::initializer_list<std::pair<const char*, const char*>> list,
                         std::uint64_t size = 42) {
  return HttpVersion(fields(list), size, kNow).validator();
}

TEST(HttpVersion, OneValidatorFromOneResponse) {
  EXPECT_EQ(validator_of({{"last-modified", kDate}}), "m:784111777-42");
  // nginx: hex-hex; Caddy: base 36 of seconds or of nanoseconds, then of the size.
  EXPECT_EQ(validator_of({{"last-modified", kDate}, {"etag", "\"2ebc98a1-2a\""}}),
            "m:784111777-42");
  EXPECT_EQ(validator_of({{"last-modified", kDate}, {"etag", "W/\"2ebc98a1-2a\""}}),
            "m:784111777-42");
  EXPECT_EQ(validator_of({{"last-modified", kDate}, {"etag", "\"cyu8ip16\""}}), "m:784111777-42");
  EXPECT_EQ(validator_of({{"last-modified", kDate}, {"etag", "\"zzz16\""}}), "e:42-zzz16");
  // Apache and S3 say more than the second and the size.
  EXPECT_EQ(validator_of({{"last-modified", kDate}, {"etag", "\"2a-660e0c02b9e38\""}}),
            "e:42-2a-660e0c02b9e38");
  EXPECT_EQ(validator_of({{"etag", "\"abc\""}}), "e:42-abc");
  EXPECT_EQ(validator_of({{"etag", "W/\"abc\""}}), "w:42-abc");
  EXPECT_EQ(validator_of({{"last-modified", kDate}, {"etag", "W/\"abc\""}}), "m:784111777-42");
}

TEST(HttpVersion, NanosecondEtagsOfCaddyAreOfTheSameSecond) {
  // 784111777123456789 and 42 in base 36.
  EXPECT_EQ(validator_of({{"last-modified", kDate}, {"etag", "\"5ygofdkl5zbp16\""}}),
            "m:784111777-42");
}

TEST(HttpVersion, WithoutAnyValidatorNoTwoAreAlike) {
  const HttpVersion version(fields({}), 42, kNow);
  EXPECT_NE(version.validator(), version.validator());
  EXPECT_TRUE(version.validator().starts_with("n:42-"));
  EXPECT_TRUE(version.is(version.validator()));
  EXPECT_FALSE(version.settled());
  for (const char* etag : {"", "x", "\"\"", "\"", "\"a\"b\"", "\"a b\"", "w/\"a\""}) {
    EXPECT_TRUE(validator_of({{"etag", etag}}).starts_with("n:42-")) << etag;
  }
  EXPECT_TRUE(
      validator_of({{"etag", ("\"" + std::string(300, 'x') + "\"").c_str()}}).starts_with("n:"));
}

TEST(HttpVersion, IsComparesInTheFormAskedFor) {
  const HttpVersion both(fields({{"last-modified", kDate}, {"etag", "\"abc\""}}), 42, kNow);
  EXPECT_TRUE(both.is(""));
  EXPECT_TRUE(both.is("m:784111777-42"));
  EXPECT_TRUE(both.is("e:42-abc"));
  EXPECT_FALSE(both.is("e:42-abd"));
  EXPECT_FALSE(both.is("e:41-abc"));
  EXPECT_FALSE(both.is("m:784111778-42"));
  EXPECT_FALSE(both.is("m:784111777-43"));
  EXPECT_FALSE(both.is("n:42-0"));
  EXPECT_FALSE(both.is("nonsense"));
  const HttpVersion weak(fields({{"etag", "W/\"abc\""}}), 42, kNow);
  EXPECT_FALSE(weak.is("e:42-abc"));
  EXPECT_TRUE(weak.is("w:42-abc"));
  EXPECT_TRUE(both.is("w:42-abc"));
}

TEST(HttpVersion, SettledByTheServersClock) {
  const auto settled = [](const char* date) {
    return HttpVersion(fields({{"last-modified", kDate}, {"date", date}}), 1, kNow).settled();
  };
  EXPECT_FALSE(settled("Sun, 06 Nov 1994 08:50:37 GMT"));
  EXPECT_TRUE(settled("Sun, 06 Nov 1994 08:50:38 GMT"));
  EXPECT_FALSE(settled("Sun, 06 Nov 1994 07:00:00 GMT")) << "the file is from the future";
  EXPECT_TRUE(HttpVersion(fields({{"last-modified", kDate}}), 1, kNow).settled());
}

TEST(HttpVersion, ConditionsForRequests) {
  using Condition = std::pair<std::string, std::string>;
  EXPECT_EQ(condition_for("e:42-a-b"), Condition("If-Match", "\"a-b\""));
  EXPECT_EQ(condition_for("m:784111777-42"), Condition("If-Unmodified-Since", kDate));
  for (const char* validator :
       {"", "w:42-abc", "n:42-abc", "m:-5-42", "e:", "e:x-y", "t:1-2-3", "m:1"}) {
    EXPECT_EQ(condition_for(validator), std::nullopt) << validator;
  }
}

TEST(HttpVersion, SizeInValidator) {
  EXPECT_EQ(size_in_validator("m:784111777-42"), 42U);
  EXPECT_EQ(size_in_validator("m:-1-42"), 42U);
  EXPECT_EQ(size_in_validator("e:42-a-1"), 42U);
  EXPECT_EQ(size_in_validator("n:0-ff"), 0U);
  for (const char* validator :
       {"", "m", "m:", "m:1", "m:1-", "e:-1-x", "t:1-2-3", "m:1-99999999999999999999"}) {
    EXPECT_EQ(size_in_validator(validator), std::nullopt) << validator;
  }
}

TEST(HttpVersion, ContentRange) {
  const auto parse = [](const char* value) {
    return content_range(fields({{"content-range", value}}));
  };
  const auto range = parse("bytes 5-9/100");
  ASSERT_TRUE(range.has_value());
  EXPECT_EQ(range->first, 5U);
  EXPECT_EQ(range->last, 9U);
  EXPECT_EQ(range->total, 100U);
  EXPECT_TRUE(parse("Bytes 0-0/1").has_value());
  for (const char* value :
       {"", "bytes", "bytes */100", "bytes 5-9/*", "bytes 9-5/100", "bytes 5-100/100", "bytes 5-9",
        "items 5-9/100", "bytes -9/100", "bytes 5-/100", "bytes 5-9/100x", "bytes 5/9-100"}) {
    EXPECT_FALSE(parse(value).has_value()) << value;
  }
}

TEST(HttpVersion, OnlyTheFilesOwnEncodingIsItsBytes) {
  const auto identity = [](const char* coding, const char* name) {
    return is_identity(fields({{"content-encoding", coding}}), name);
  };
  EXPECT_TRUE(is_identity(fields({}), "x"));
  EXPECT_TRUE(identity("identity", "x"));
  EXPECT_TRUE(identity("x-gzip", "x.tar.gz"));
  EXPECT_TRUE(identity("gzip", "x.tgz"));
  EXPECT_FALSE(identity("gzip", "x.txt"));
  EXPECT_FALSE(identity("br", "x.gz"));
  EXPECT_FALSE(identity("gzip, br", "x.gz"));
}

}  // namespace
}  // namespace lazyvol::source
