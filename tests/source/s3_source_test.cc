// What is special about S3, over a real radosgw. (What all sources share: conformance.cc.)
#include "source/s3_source.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <thread>

#include "source/s3_bucket.h"
#include "source/s3_support.h"
#include "support/process.h"
#include "support/radosgw.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::source {
namespace {

using lazyvol::testing::Radosgw;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint64_t kWhole = 1ULL << 40;

class S3SourceTest : public ::testing::Test {
 protected:
  std::shared_ptr<Source> open(const std::string& prefix = "", S3Tuning tuning = with_keys(),
                               model::MountOptions options = {}) {
    options.endpoint = Radosgw::shared().endpoint();
    return open_s3(rig_, "s3://" + bucket_.name() + "/" + prefix, options, std::move(tuning));
  }
  static S3Tuning with_keys() { return {aws_keys(Radosgw::kAccessKey, Radosgw::kSecretKey), 0}; }
  std::string write(const std::string& name, const std::string& text) {
    const auto path = dir_.path() / name;
    lazyvol::testing::write_file(path, text);
    EXPECT_EQ(::chmod(path.c_str(), 0600), 0);
    return path.string();
  }

  lazyvol::testing::TempDir dir_;
  S3Bucket bucket_;
  Rig rig_;
};

std::set<std::string> names(const Listing& listing) {
  std::set<std::string> out;
  for (const auto& entry : listing.entries) {
    out.insert(entry.name + (entry.type == NodeType::directory ? "/" : ""));
  }
  return out;
}

TEST_F(S3SourceTest, AnEmptyBucketIsAnEmptyDirectoryAndAnEmptyPrefixIsNone) {
  const auto root = list(*open(), "");
  ASSERT_TRUE(root.ok()) << root.error().message;
  EXPECT_TRUE(root->entries.empty());
  const auto prefix = list(*open("no/such"), "");
  ASSERT_FALSE(prefix.ok());
  EXPECT_EQ(prefix.error().code, Code::not_found);
  EXPECT_THAT(prefix.error().message, HasSubstr("no object below 'no/such/'"));
}

TEST_F(S3SourceTest, KeysThatAreNoPathsAreLeftOutAndCounted) {
  bucket_.put("plain", "1");
  bucket_.put("a//b", "2");
  bucket_.put("/leading", "3");
  bucket_.put("d/./x", "4");
  bucket_.put("d/../x", "5");
  bucket_.put("d/ok", "6");
  bucket_.put("d/" + std::string(300, 'n'), "7");
  bucket_.put("marker/", "");
  bucket_.put("bytes/", "not nothing");
  bucket_.put("both", "file");
  bucket_.put("both/inner", "8");
  const auto source = open();
  const auto root = list(*source, "");
  ASSERT_TRUE(root.ok()) << root.error().message;
  EXPECT_EQ(names(*root),
            (std::set<std::string>{"a/", "both/", "bytes/", "d/", "marker/", "plain"}));
  EXPECT_EQ(root->refused, 2U) << "'/leading' and the file 'both'";
  const auto refused_in = [&](const std::string& path) {
    const auto listing = list(*source, path);
    EXPECT_TRUE(listing.ok()) << path;
    return listing.ok() ? std::pair(names(*listing), listing->refused)
                        : std::pair(std::set<std::string>(), std::uint64_t{99});
  };
  using Names = std::set<std::string>;
  EXPECT_EQ(refused_in("a"), std::pair(Names(), std::uint64_t{1}));
  EXPECT_EQ(refused_in("d"), std::pair(Names{"ok"}, std::uint64_t{3}));
  EXPECT_EQ(refused_in("marker"), std::pair(Names(), std::uint64_t{0}));
  EXPECT_EQ(refused_in("bytes"), std::pair(Names(), std::uint64_t{1}));
  EXPECT_EQ(refused_in("both"), std::pair(Names{"inner"}, std::uint64_t{0}));
  EXPECT_EQ(stat(*source, "both")->type, NodeType::directory);
  EXPECT_EQ(code_of(read(*source, "bytes", {}, 0, 1).status), Code::is_directory);
  EXPECT_EQ(code_of(stat(*source, std::string(200, 'a') + "/" + std::string(250, 'b') + "/" +
                                      std::string(250, 'c') + "/" + std::string(250, 'd') + "/" +
                                      std::string(250, 'e'))),
            Code::not_found)
      << "no key is that long";
}

TEST_F(S3SourceTest, ThousandsOfKeysComeInPages) {
  constexpr int kFiles = 5000;
  std::vector<std::thread> uploads;
  for (int t = 0; t < 4; ++t) {
    uploads.emplace_back([&, t] {
      for (int i = t; i < kFiles; i += 4) bucket_.put(fmt::format("many/f{:05}", i), "x");
    });
  }
  for (auto& thread : uploads) thread.join();
  bucket_.put("many/dir/x", "x");
  S3Tuning tuning = with_keys();
  tuning.page_keys = 137;
  for (const auto& source : {open("", tuning), open()}) {
    const auto listing = list(*source, "many");
    ASSERT_TRUE(listing.ok()) << listing.error().message;
    EXPECT_EQ(listing->entries.size(), kFiles + 1U);
    EXPECT_EQ(listing->entries.front().name, "dir");
    EXPECT_EQ(listing->entries.back().name, "f04999");
  }
}

TEST_F(S3SourceTest, AStopEndsAListingBetweenPages) {
  for (int i = 0; i < 20; ++i) bucket_.put(fmt::format("f{}", i), "x");
  S3Tuning tuning = with_keys();
  tuning.page_keys = 1;
  const auto source = open("", tuning);
  std::stop_source stop;
  RequestContext ctx;
  ctx.stop = stop.get_token();
  std::thread stopper([&] { stop.request_stop(); });
  const auto listing = list(*source, "", ctx);
  stopper.join();
  if (!listing.ok()) {
    EXPECT_EQ(listing.error().code, Code::cancelled);
  }
}

TEST_F(S3SourceTest, ReadersNeverSeeTwoVersionsInOne) {
  const std::string bytes[2] = {std::string(300'000, 'a'), std::string(300'000, 'b')};
  bucket_.put("f", bytes[0]);
  const auto source = open();
  std::atomic<bool> over{false};
  std::thread writer([&] {
    S3Bucket::Headers none;
    for (int i = 1; !over; ++i) bucket_.put("f", bytes[i % 2], none);
  });
  int stale = 0, whole = 0;
  for (int i = 0; i < 60; ++i) {
    const auto entry = stat(*source, "f");
    ASSERT_TRUE(entry.ok()) << entry.error().message;
    std::string got;
    for (std::uint64_t offset = 0; offset < 300'000; offset += 100'000) {
      const auto part = read(*source, "f", entry->validator, offset, 100'000);
      if (!part.status.ok()) {
        // Ceph answers 500 to a GET whose object is replaced while it reads.
        EXPECT_THAT(part.status.error().code, AnyOf(Code::stale, Code::io_error))
            << part.status.error().message;
        break;
      }
      got += part.bytes;
    }
    ++(got.size() == 300'000 ? whole : stale);
    EXPECT_TRUE(got == bytes[0].substr(0, got.size()) || got == bytes[1].substr(0, got.size()));
  }
  over = true;
  writer.join();
  EXPECT_GT(whole, 0);
  RecordProperty("stale", stale);
}

TEST_F(S3SourceTest, WrongKeysAreOneClearRefusalAndNoStorm) {
  bucket_.put("f", "x");
  lazyvol::testing::Relay relay(Radosgw::shared().port());
  model::MountOptions options;
  options.endpoint = fmt::format("http://127.0.0.1:{}", relay.port());
  const std::string url = "s3://" + bucket_.name();
  const auto unknown = open_s3(rig_, url, options, {aws_keys("UNKNOWN", "hunter2"), 0});
  const auto outcome = list(*unknown, "");
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code, Code::access_denied);
  EXPECT_THAT(outcome.error().message, AllOf(HasSubstr("InvalidAccessKeyId"),
                                             Not(HasSubstr("hunter2")), Not(HasSubstr("\n"))));
  EXPECT_LE(relay.connections(), 1U) << "asked once";
  const auto wrong = open_s3(rig_, url, options, {aws_keys(Radosgw::kAccessKey, "hunter2"), 0});
  EXPECT_THAT(list(*wrong, "").error().message, HasSubstr("SignatureDoesNotMatch"));
  const auto entry = stat(*wrong, "f");
  EXPECT_EQ(code_of(entry), Code::access_denied);
  EXPECT_EQ(code_of(read(*wrong, "f", "e:1-x", 0, 1).status), Code::access_denied);
  const auto none = open("", {aws_environment(), 0});
  EXPECT_THAT(list(*none, "").error().message, HasSubstr("no AWS keys found"));
  EXPECT_EQ(code_of(list(*open_s3(rig_, "s3://no-such-bucket", options, with_keys()), "")),
            Code::not_found);
}

TEST_F(S3SourceTest, KeysAreRotatedUnderALongRead) {
  Radosgw::shared().add_key("ROTATED-OUT", "one");
  const std::string bytes = lazyvol::testing::noise(2 << 20, 9);
  bucket_.put("f", bytes);
  model::MountOptions options;
  options.credentials =
      write("c.toml", "access-key-id = 'ROTATED-OUT'\nsecret-access-key = 'one'\n");
  const auto source = open("", {aws_environment(), 0}, options);
  const auto entry = stat(*source, "f");
  ASSERT_TRUE(entry.ok()) << entry.error().message;
  EXPECT_EQ(read(*source, "f", entry->validator, 0, 1 << 20).bytes, bytes.substr(0, 1 << 20));
  Radosgw::shared().remove_key("ROTATED-OUT");
  write("c.toml", fmt::format("access-key-id = '{}'\nsecret-access-key = '{}'\n",
                              Radosgw::kAccessKey, Radosgw::kSecretKey));
  const auto rest = read(*source, "f", entry->validator, 1 << 20, 1 << 20);
  ASSERT_TRUE(rest.status.ok()) << rest.status.error().message;
  EXPECT_TRUE(rest.bytes == bytes.substr(1 << 20));
  EXPECT_TRUE(stat(*source, "f").ok());
  EXPECT_TRUE(list(*source, "").ok());
}

TEST_F(S3SourceTest, AnonymousReadersOfAnOpenBucket) {
  bucket_.put("d/f", "12345");
  model::MountOptions options;
  options.no_sign_request = true;
  const auto source = open("", {aws_environment(), 0}, options);
  EXPECT_EQ(code_of(list(*source, "")), Code::access_denied);
  bucket_.open_to_everybody();
  const auto root = list(*source, "");
  ASSERT_TRUE(root.ok()) << root.error().message;
  EXPECT_EQ(names(*root), std::set<std::string>{"d/"});
  EXPECT_EQ(read(*source, "d/f", stat(*source, "d/f")->validator, 1, 3).bytes, "234");
}

TEST_F(S3SourceTest, ObjectsUnderACustomersKeyAreRefusedClearly) {
  const std::string key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
  const std::string md5 = "KYvwGXoFFJ42a2u2GDWhwQ==";
  bucket_.put("secret", "12345",
              {{"x-amz-server-side-encryption-customer-algorithm", "AES256"},
               {"x-amz-server-side-encryption-customer-key", key},
               {"x-amz-server-side-encryption-customer-key-MD5", md5}});
  const auto source = open();
  const auto listing = list(*source, "");
  ASSERT_TRUE(listing.ok());
  const auto outcome = read(*source, "secret", find(*listing, "secret")->validator, 0, 5);
  EXPECT_EQ(code_of(outcome.status), Code::unsupported);
  EXPECT_THAT(outcome.status.error().message, AllOf(HasSubstr("SSE-C"), Not(HasSubstr("\n"))));
}

TEST_F(S3SourceTest, StoredEncodingsAreNotOurs) {
  bucket_.put("f.txt", "not gzip at all", {{"Content-Encoding", "gzip"}});
  const auto source = open();
  const auto entry = stat(*source, "f.txt");
  ASSERT_TRUE(entry.ok()) << entry.error().message;
  EXPECT_EQ(read(*source, "f.txt", entry->validator, 0, kWhole).bytes, "not gzip at all");
}

}  // namespace
}  // namespace lazyvol::source
