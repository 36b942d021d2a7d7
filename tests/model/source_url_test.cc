#include "model/source_url.h"

#include <gtest/gtest.h>

#include <random>

namespace lazyvol::model {
namespace {

TEST(SourceUrl, Accepts) {
  const struct {
    const char *text, *scheme, *authority, *path, *canonical;
  } rows[] = {
      {"http://host", "http", "host", "/", "http://host/"},
      {"HTTP://Host.Example:8080/Dir/", "http", "host.example:8080", "/Dir/",
       "http://host.example:8080/Dir/"},
      {"https://h:443/a", "https", "h:443", "/a", "https://h/a"},
      {"http://h:80/", "http", "h:80", "/", "http://h/"},
      {"https://h:80/", "https", "h:80", "/", "https://h:80/"},
      {"http://[::1]:8080/x", "http", "[::1]:8080", "/x", "http://[::1]:8080/x"},
      {"http://[FE80::1]/", "http", "[fe80::1]", "/", "http://[fe80::1]/"},
      {"http://h/a%20b/c+d", "http", "h", "/a%20b/c+d", "http://h/a%20b/c+d"},
      {"http://h/a b/\xc3\xa9", "http", "h", "/a%20b/%C3%A9", "http://h/a%20b/%C3%A9"},
      {"http://h/user@home/", "http", "h", "/user@home/", "http://h/user@home/"},
      {"s3://Bucket_1.x", "s3", "Bucket_1.x", "/", "s3://Bucket_1.x/"},
      {"s3://b/p", "s3", "b", "/p/", "s3://b/p/"},
      {"S3://b/p q//%25/", "s3", "b", "/p%20q//%25/", "s3://b/p%20q//%25/"},
      {"/srv/data", "file", "", "/srv/data", "file:///srv/data"},
      {"/srv//a/./b/../data/", "file", "", "/srv/a/data", "file:///srv/a/data"},
      {"/", "file", "", "/", "file:///"},
      {"/a?b#c%d", "file", "", "/a?b#c%d", "file:///a%3Fb%23c%25d"},
      {"file:///srv/a%20b", "file", "", "/srv/a b", "file:///srv/a%20b"},
      {"file://localhost/srv", "file", "", "/srv", "file:///srv"},
      {"sftp://h/srv/data/", "sftp", "h", "/srv/data", "sftp://h/srv/data"},
      {"SSH://me@Data-Box:22//a%20b//c", "sftp", "Data-Box:22", "/a b/c",
       "sftp://me@Data-Box:22/a%20b/c"},
      {"sftp://h", "sftp", "h", "/", "sftp://h/"},
      {"sftp://h/~", "sftp", "h", "/~", "sftp://h/~"},
      {"sftp://u@[::1]:2222/~/x/", "sftp", "[::1]:2222", "/~/x", "sftp://u@[::1]:2222/~/x"},
      {"sftp://a%40b.example@h/", "sftp", "h", "/", "sftp://a%40b.example@h/"},
  };
  for (const auto& row : rows) {
    const auto url = parse_source_url(row.text);
    ASSERT_TRUE(url.ok()) << row.text << ": " << url.error().message;
    EXPECT_EQ(url->scheme, row.scheme) << row.text;
    EXPECT_EQ(url->authority, row.authority) << row.text;
    EXPECT_EQ(url->path, row.path) << row.text;
    EXPECT_EQ(url->canonical(), row.canonical) << row.text;
    const auto again = parse_source_url(url->canonical());
    ASSERT_TRUE(again.ok()) << row.text;
    EXPECT_EQ(again->canonical(), url->canonical()) << row.text;
  }
}

TEST(SourceUrl, RefusesWithOneLineThatSaysWhatWouldBeRight) {
  const struct {
    const char *text, *says;
  } rows[] = {
      {"", "empty"},
      {"ftp://host/",
       "unknown scheme 'ftp' in SOURCE (known: http://, https://, s3://bucket/prefix, sftp://, "},
      {"s3://", "lacks a bucket"},
      {"s3:///x", "lacks a bucket"},
      {"s3://user:hunter2@bucket/x", "the bucket only"},
      {"s3://host:9000/bucket", "endpoint="},
      {"s3://buc ket/x", "not a name that a bucket may have"},
      {"s3://bucket/a/../b", "'.' or '..'"},
      {"s3://bucket/a?versionId=1", "query"},
      {"sftp://u:secret@h/", "must not hold a password"},
      {"sftp://u%3Asecret@h/", "must not hold a password"},
      {"sftp://@h/", "without a user name"},
      {"sftp://u%0a@h/", "without a user name"},
      {"sftp:///path", "lacks a host"},
      {"sftp://h/a/../b", "'.' or '..'"},
      {"sftp://h/a?b", "query"},
      {"sftp://h:0/", "port"},
      {"relative/path", "absolute path"},
      {"host:/export", "absolute path"},
      {"://x", "neither a URL"},
      {"http://", "lacks a host"},
      {"http:///path", "lacks a host"},
      {"http://:80/", "lacks a host"},
      {"http://h:/", "port"},
      {"http://h:0/", "port"},
      {"http://h:65536/", "port"},
      {"http://h:8o/", "port"},
      {"http://[::1/", "without ']'"},
      {"http://[host]/", "IPv6"},
      {"http://[::1]x/", "after ']'"},
      {"http://a b/", "host name"},
      {"http://h\r\nX: y/", "host name"},
      {"http://h/?q=1", "%3F"},
      {"http://h#f", "%23"},
      {"http://h/%zz", "percent"},
      {"http://h/%4", "percent"},
      {"http://h/a%00", "%00"},
      {"http://h/a/../b", "'..'"},
      {"http://h/a/%2e%2e/b", "'..'"},
      {"file://host/path", "file:///path"},
      {"file:///a?b", "%3F"},
      {"http://user@host/", "credentials="},
      {"http://user:hunter2@host/", "credentials="},
  };
  for (const auto& row : rows) {
    const auto url = parse_source_url(row.text);
    ASSERT_FALSE(url.ok()) << row.text;
    EXPECT_EQ(url.error().code, Code::invalid_argument) << row.text;
    EXPECT_NE(url.error().message.find(row.says), std::string::npos)
        << row.text << ": " << url.error().message;
    EXPECT_EQ(url.error().message.find('\n'), std::string::npos) << row.text;
    EXPECT_EQ(url.error().message.find("hunter2"), std::string::npos) << "a secret in a message";
  }
}

TEST(SourceUrl, NeverRepeatsASecretOfABrokenUrl) {
  for (const char* text : {"user:hunter2@host/path", "htp//user:hunter2@host", "http//u:hunter2@h/",
                           "https://u:hunter2@h:99999/?x", "https://h/?token=hunter2"}) {
    const auto url = parse_source_url(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_EQ(url.error().message.find("hunter2"), std::string::npos) << url.error().message;
  }
}

TEST(PercentEncoding, KeepsUnreservedOnly) {
  EXPECT_EQ(percent_encode_path("a/B-9._~"), "a/B-9._~");
  EXPECT_EQ(percent_encode_path("a b+c&d%e?f#g\"h'i"), "a%20b%2Bc%26d%25e%3Ff%23g%22h%27i");
  EXPECT_EQ(percent_encode_path("\xc3\xa9\n"), "%C3%A9%0A");
}

TEST(PercentEncoding, DecodesWhatItEncodes) {
  std::mt19937 random(20);
  std::uniform_int_distribution<int> byte(1, 255), length(0, 60);
  for (int round = 0; round < 2000; ++round) {
    std::string raw;
    for (int i = length(random); i > 0; --i) raw.push_back(static_cast<char>(byte(random)));
    const auto decoded = percent_decode(percent_encode_path(raw));
    ASSERT_TRUE(decoded.ok());
    ASSERT_EQ(*decoded, raw);
  }
}

TEST(PercentEncoding, DecodesBothCasesAndNothingBroken) {
  EXPECT_EQ(*percent_decode("%2f%2F+"), "//+");
  for (const char* text : {"%", "%1", "a%", "%g0", "%0g", "%00", "%%20"}) {
    EXPECT_FALSE(percent_decode(text).ok()) << text;
  }
}

}  // namespace
}  // namespace lazyvol::model
