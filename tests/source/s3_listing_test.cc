// Addresses and listings of S3, without a service.
#include "source/s3_listing.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/options.h"
#include "source/s3_address.h"

namespace lazyvol::source {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

S3Address address(const std::string& source, const std::string& options = {}) {
  auto made =
      S3Address::make(*model::parse_source_url(source), *model::parse_mount_options(options));
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
  return *made;
}

TEST(S3Address, StandsInTheHostAtAwsAndInThePathElsewhere) {
  const struct {
    const char *source, *options, *origin, *object;
  } rows[] = {
      {"s3://b/p", "", "https://b.s3.eu-west-1.amazonaws.com", "/p/a%20b/%C3%A9%2B"},
      {"s3://b", "", "https://b.s3.eu-west-1.amazonaws.com", "/a%20b/%C3%A9%2B"},
      {"s3://dotted.b", "", "https://s3.eu-west-1.amazonaws.com", "/dotted.b/a%20b/%C3%A9%2B"},
      {"s3://b", "force-path-style=yes", "https://s3.eu-west-1.amazonaws.com",
       "/b/a%20b/%C3%A9%2B"},
      {"s3://b", "endpoint=https://s3.example:9000/", "https://s3.example:9000",
       "/b/a%20b/%C3%A9%2B"},
      {"s3://b/p%2Fq/", "endpoint=http://h/storage/s3", "http://h",
       "/storage/s3/b/p/q/a%20b/%C3%A9%2B"},
      {"s3://b", "endpoint=https://s3.example,force-path-style=no", "https://b.s3.example",
       "/a%20b/%C3%A9%2B"},
  };
  for (const auto& row : rows) {
    const S3Address made = address(row.source, row.options);
    EXPECT_EQ(made.origin("eu-west-1"), row.origin) << row.source;
    EXPECT_EQ(made.object_resource(made.key_of("a b/\xc3\xa9+")), row.object) << row.source;
  }
  EXPECT_EQ(address("s3://b").origin("cn-north-1"), "https://b.s3.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(address("s3://b").list_resource({{"list-type", "2"}}), "/?list-type=2");
  EXPECT_EQ(address("s3://b", "endpoint=http://h").list_resource({{"list-type", "2"}}),
            "/b?list-type=2");
}

TEST(S3Address, TellsServicesApart) {
  EXPECT_EQ(address("s3://b/p").display(), "s3://b/p/");
  EXPECT_EQ(address("s3://b/p", "endpoint=http://h:1/x/").display(), "s3://b/p/ (http://h:1/x)");
}

TEST(S3Address, RefusesWhatIsNoServer) {
  for (const char* endpoint :
       {"s3.example", "ftp://h", "https://", "https://u:p@h/", "http://h/?x", "http://h h/"}) {
    model::MountOptions options;
    options.endpoint = endpoint;
    const auto made = S3Address::make(*model::parse_source_url("s3://b"), options);
    ASSERT_FALSE(made.ok()) << endpoint;
    EXPECT_EQ(made.error().code, Code::invalid_argument);
    EXPECT_THAT(made.error().message, HasSubstr("endpoint"));
  }
}

TEST(S3Page, IsReadFieldByField) {
  const auto page = parse_s3_page(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>"
      "<Prefix>d/&#x1;</Prefix><IsTruncated>true</IsTruncated><NextContinuationToken>a+b/=</"
      "NextContinuationToken>"
      "<Contents><Key>d/a+b%2Bc%01%C3%A9</Key><LastModified>2026-11-25T12:00:00.500Z</LastModified>"
      "<ETag>&quot;0123-4&quot;</ETag><Size>5</Size><Owner><ID>x</ID></Owner></Contents>"
      "<CommonPrefixes><Prefix>d/x%25/</Prefix></CommonPrefixes>"
      "<EncodingType>url</EncodingType></ListBucketResult>");
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_EQ(page->next_token, "a+b/=");
  EXPECT_THAT(page->prefixes, ElementsAre("d/x%/"));
  ASSERT_EQ(page->objects.size(), 1U);
  EXPECT_EQ(page->objects[0].key, "d/a b+c\x01\xc3\xa9");
  EXPECT_EQ(page->objects[0].etag, "0123-4");
  EXPECT_EQ(page->objects[0].size, 5U);
  EXPECT_EQ(page->objects[0].mtime_s, 1'795'608'000);
}

TEST(S3Page, WithoutEncodingKeysAreAsTheyStand) {
  const auto page = parse_s3_page(
      "<ListBucketResult><IsTruncated>false</IsTruncated><NextContinuationToken>x</"
      "NextContinuationToken>"
      "<Contents><Key>a+b%20</Key><Size>0</Size></Contents></ListBucketResult>");
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_EQ(page->objects[0].key, "a+b%20");
  EXPECT_EQ(page->next_token, "");
  EXPECT_FALSE(parse_s3_page("<ListBucketResult><Contents><Key>&#1;</Key><Size>0</Size></Contents>"
                             "</ListBucketResult>")
                   .ok())
      << "a name that XML cannot hold";
}

TEST(S3Page, RefusesHalfOfOne) {
  for (const char* text :
       {"", "<ListBucketResult>", "<Error><Code>x</Code></Error>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>1x</Size></Contents></ListBucketResult>"}) {
    const auto page = parse_s3_page(text);
    ASSERT_FALSE(page.ok()) << text;
    EXPECT_EQ(page.error().code, Code::corrupt) << text;
  }
}

TEST(S3Directory, AFileMayComeOnAnotherPageThanItsDirectory) {
  S3DirectoryBuilder builder("", 0);
  ASSERT_TRUE(builder.add({{{"a", "t", 1, 0}, {"a.txt", "t", 1, 0}}, {}, "more"}).ok());
  ASSERT_TRUE(builder.add({{{"b", "", 2, 5}, {"c", "bad tag", 3, 5}}, {"a/"}, ""}).ok());
  const Listing listing = std::move(builder).finish();
  ASSERT_EQ(listing.entries.size(), 4U);
  EXPECT_EQ(listing.entries[0].name, "a");
  EXPECT_EQ(listing.entries[0].type, NodeType::directory);
  EXPECT_EQ(listing.entries[1].validator, "e:1-t");
  EXPECT_EQ(listing.entries[2].validator, "m:5-2") << "no tag: as for a web server";
  EXPECT_EQ(listing.entries[3].validator, "m:5-3");
  EXPECT_EQ(listing.refused, 1U);
}

TEST(S3Directory, KeysFromElsewhereAreRefused) {
  S3DirectoryBuilder builder("d/", 0);
  EXPECT_FALSE(builder.add({{{"e/x", "t", 1, 0}}, {}, ""}).ok());
  EXPECT_FALSE(builder.add({{}, {"d"}, ""}).ok());
  EXPECT_FALSE(builder.add({{}, {"d/x"}, ""}).ok()) << "a prefix ends in its delimiter";
}

TEST(S3Directory, HoldsAMillionKeys) {
  S3DirectoryBuilder builder("many/", 0);
  for (int page = 0; page < 1000; ++page) {
    std::string rows;
    for (int i = 0; i < 1000; ++i) {
      rows += fmt::format(
          "<Contents><Key>many/file-{:07}.bin</Key><LastModified>2026-11-25T12:00:00.000Z"
          "</LastModified><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>4096</"
          "Size>"
          "<StorageClass>STANDARD</StorageClass></Contents>",
          page * 1000 + i);
    }
    auto parsed = parse_s3_page("<ListBucketResult><EncodingType>url</EncodingType>" + rows +
                                "</ListBucketResult>");
    ASSERT_TRUE(parsed.ok());
    ASSERT_TRUE(builder.add(*std::move(parsed)).ok());
  }
  const Listing listing = std::move(builder).finish();
  EXPECT_EQ(listing.entries.size(), 1'000'000U);
  EXPECT_EQ(listing.entries.back().name, "file-0999999.bin");
}

}  // namespace
}  // namespace lazyvol::source
