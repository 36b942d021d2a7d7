#include "net/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lazyvol::net {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The examples of "Signature Calculations for the Authorization Header" in the Amazon S3 API
// Reference.
const AwsKeys kExampleKeys{
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", {}, {}};
constexpr const char* kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* kDate = "20130524T000000Z";

SignedParts example(std::string path, std::string query) {
  return {"GET",
          std::move(path),
          std::move(query),
          {{"x-amz-date", kDate},
           {"x-amz-content-sha256", kEmpty},
           {"host", "examplebucket.s3.amazonaws.com"}},
          kEmpty};
}

std::string signature(const SignedParts& parts) {
  const std::string field = authorization(parts, kExampleKeys, {"us-east-1", "s3"}, kDate);
  return field.substr(field.find("Signature=") + 10);
}

TEST(Sigv4, GetObjectOfTheReference) {
  SignedParts parts = example("/test.txt", "");
  parts.headers.emplace_back("range", "bytes=0-9");
  EXPECT_EQ(sha256_hex(canonical_request(parts)),
            "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972");
  EXPECT_EQ(authorization(parts, kExampleKeys, {"us-east-1", "s3"}, kDate),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(Sigv4, PutObjectOfTheReference) {
  SignedParts parts = example("/test%24file.text", "");
  parts.method = "PUT";
  parts.payload_sha256 = sha256_hex("Welcome to Amazon S3.");
  parts.headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                   {"host", "examplebucket.s3.amazonaws.com"},
                   {"x-amz-content-sha256", parts.payload_sha256},
                   {"x-amz-date", kDate},
                   {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
  EXPECT_EQ(signature(parts), "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(Sigv4, ListingsOfTheReference) {
  EXPECT_EQ(signature(example("/", canonical_query({{"lifecycle", ""}}))),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  EXPECT_EQ(signature(example("/", canonical_query({{"prefix", "J"}, {"max-keys", "2"}}))),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(Sigv4, QueriesAreEncodedAndSorted) {
  EXPECT_EQ(canonical_query({{"b", "2"}, {"a", "/ +%&="}, {"a", "\xc3\xa9'\"~"}, {"A", ""}}),
            "A=&a=%2F%20%2B%25%26%3D&a=%C3%A9%27%22~&b=2");
  EXPECT_EQ(canonical_query({}), "");
}

TEST(Sigv4, SignsTheHostAndWhatIsAmazons) {
  HttpRequest request;
  request.url = "https://Bucket.Example:8443/a%20b?list-type=2";
  request.headers = {{"If-Match", "\"x\""}, {"x-amz-request-payer", "requester"}};
  AwsKeys keys = kExampleKeys;
  keys.session_token = "token";
  ASSERT_TRUE(sign(request, keys, {"eu-central-1", "s3"}, 1'369'353'600).ok());
  const auto field = [&](const std::string& name) {
    std::string found;
    for (const auto& [key, value] : request.headers) {
      if (key == name) found += value;
    }
    return found;
  };
  EXPECT_EQ(field("x-amz-date"), kDate);
  EXPECT_EQ(field("x-amz-content-sha256"), kEmpty);
  EXPECT_EQ(field("x-amz-security-token"), "token");
  EXPECT_THAT(
      field("Authorization"),
      HasSubstr("/20130524/eu-central-1/s3/aws4_request,SignedHeaders=host;"
                "x-amz-content-sha256;x-amz-date;x-amz-request-payer;x-amz-security-token,"));
  const SignedParts parts{"GET",
                          "/a%20b",
                          "list-type=2",
                          {{"host", "bucket.example:8443"},
                           {"x-amz-content-sha256", kEmpty},
                           {"x-amz-date", kDate},
                           {"x-amz-request-payer", "requester"},
                           {"x-amz-security-token", "token"}},
                          kEmpty};
  EXPECT_EQ(field("Authorization"), authorization(parts, keys, {"eu-central-1", "s3"}, kDate));
}

TEST(Sigv4, SigningAgainReplacesTheFirst) {
  HttpRequest request;
  request.url = "http://h:80/";
  AwsKeys keys = kExampleKeys;
  keys.session_token = "token";
  ASSERT_TRUE(sign(request, keys, {"r", "s3"}, 0).ok());
  const std::string first = request.headers.back().second;
  ASSERT_TRUE(sign(request, kExampleKeys, {"r", "s3"}, 86'400).ok());
  EXPECT_EQ(request.headers.size(), 3U);
  EXPECT_EQ(request.headers.back().first, "Authorization");
  EXPECT_THAT(request.headers.back().second, Not(HasSubstr("token")));
  EXPECT_NE(request.headers.back().second, first);
  HttpRequest nowhere;
  EXPECT_FALSE(sign(nowhere, keys, {"r", "s3"}, 0).ok());
}

}  // namespace
}  // namespace lazyvol::net
