// The store in a bucket, on a real radosgw.
#include "publish/s3_store.h"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include <thread>
#include <vector>

#include "publish/network.h"
#include "publish/s3_lease.h"
#include "publish/s3_objects.h"
#include "publish/s3_upload.h"
#include "publish/s3_uploads_page.h"
#include "publish/store_conformance.h"
#include "source/s3_bucket.h"
#include "source/s3_support.h"
#include "support/radosgw.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::publish {
namespace {

using lazyvol::testing::noise;
using lazyvol::testing::Radosgw;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kForever = INT64_MAX;

// A bucket, and what it takes to open stores in it.
class Place final : public StorePlace {
 public:
  explicit Place(std::string endpoint = Radosgw::shared().endpoint()) {
    options_.endpoint = std::move(endpoint);
    options_.io_timeout = seconds(60);
    tuning_.s3.aws = source::aws_keys(Radosgw::kAccessKey, Radosgw::kSecretKey);
    tuning_.s3.page_keys = 3;
  }

  std::unique_ptr<Store> open() override { return opened(make_s3_store(url(), options_, tuning_)); }
  std::unique_ptr<Store> opened(Result<std::unique_ptr<Store>> store) {
    EXPECT_TRUE(store.ok()) << store.error().message;
    return store.ok() ? *std::move(store) : nullptr;
  }

  model::SourceUrl url() const {
    return *model::parse_source_url("s3://" + bucket_.name() + "/deep/volume");
  }
  model::MountOptions& options() { return options_; }
  S3StoreTuning& tuning() { return tuning_; }
  const std::string& bucket() const { return bucket_.name(); }

 private:
  source::S3Bucket bucket_;
  model::MountOptions options_;
  S3StoreTuning tuning_;
};

INSTANTIATE_TEST_SUITE_P(S3, StoreConformance,
                         ::testing::Values(StoreKind{"s3",
                                                     [] { return std::make_unique<Place>(); }}),
                         [](const auto& which) { return which.param.name; });

// The objects below a store, as they are.
class Behind {
 public:
  explicit Behind(Place& place) : network_(4) {
    site_ = *source::S3Site::make(place.url(), place.options(), network_.environment(),
                                  place.tuning().s3);
  }
  ~Behind() { site_->keys().close(); }

  S3Objects objects(std::uint32_t retries = 10) const {
    return S3Objects(S3Requests(site_, seconds(60), retries, {}));
  }
  std::string key(const std::string& path) const { return site_->address().key_of(path); }
  std::string etag(const std::string& path) const {
    const auto object = objects().head(key(path));
    return object.ok() && *object ? (*object)->etag : "";
  }
  std::string field(const std::string& path, const char* name) const {
    const S3Requests requests = objects().requests();
    const auto answer = requests.send(
        requests.request(net::HttpRequest::Method::head, site_->object_url(key(path))), 0);
    const std::string* found = answer.ok() ? answer->head.headers.find(name) : nullptr;
    return found == nullptr ? "" : *found;
  }
  /// An upload that nobody ends.
  void begin_upload(const std::string& path) const {
    const S3Requests requests = objects().requests();
    const auto begun =
        requests.send(requests.request(net::HttpRequest::Method::post,
                                       site_->object_url(key(path), {{"uploads", ""}})),
                      1 << 16);
    EXPECT_TRUE(begun.ok()) << begun.error().message;
  }
  std::vector<std::string> uploads() const {
    const S3Requests requests = objects().requests();
    const auto answer = requests.send(
        requests.request(net::HttpRequest::Method::get, site_->list_url({{"uploads", ""}})),
        1 << 20);
    EXPECT_TRUE(answer.ok()) << answer.error().message;
    const auto page = parse_s3_uploads(answer->bytes);
    EXPECT_TRUE(page.ok()) << answer->bytes;
    std::vector<std::string> keys;
    for (const auto& one : page->uploads) keys.push_back(one.key);
    return keys;
  }
  void write(const std::string& path, std::string bytes) const {
    const auto payload = std::make_shared<net::Payload>();
    payload->bytes = std::move(bytes);
    const Status put = objects().put(key(path), hashed(payload), "no-store");
    EXPECT_TRUE(put.ok()) << put.error().message;
  }

 private:
  Network network_;
  std::shared_ptr<source::S3Site> site_;
};

class S3StoreTest : public ::testing::Test {
 protected:
  static Status put(Store& store, const std::string& path, const std::string& bytes) {
    auto writer = store.create();
    LAZYVOL_TRY((*writer)->write(bytes));
    return (*writer)->commit(path);
  }
  void must_put(Store& store, const std::string& path, const std::string& bytes) {
    const Status done = put(store, path, bytes);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  Place place_;
  Behind behind_{place_};
};

TEST_F(S3StoreTest, LargeObjectsGoInParts) {
  const auto store = place_.open();
  const std::string bytes = noise(2 * kPartBytes + 12'345, 1);
  auto writer = store->create();
  ASSERT_TRUE(writer.ok());
  for (std::size_t at = 0; at < bytes.size(); at += 1'000'003) {
    ASSERT_TRUE((*writer)->write(std::string_view(bytes).substr(at, 1'000'003)).ok());
  }
  ASSERT_TRUE((*writer)->commit("packs/00/large").ok());
  EXPECT_TRUE(*store->read("packs/00/large", 0, 1ULL << 40) == bytes);
  EXPECT_TRUE(behind_.etag("packs/00/large").ends_with("-3\"")) << behind_.etag("packs/00/large");
  must_put(*store, "packs/00/exact", noise(kPartBytes, 2));
  EXPECT_EQ(behind_.etag("packs/00/exact").find('-'), std::string::npos);
  EXPECT_THAT(behind_.uploads(), ::testing::IsEmpty());
  // Again: it stays, and is young.
  must_put(*store, "packs/00/large", bytes);
  EXPECT_TRUE(*store->read("packs/00/large", kPartBytes, 100) == bytes.substr(kPartBytes, 100));
}

TEST_F(S3StoreTest, WhatIsTooLargeForMemoryIsRefused) {
  const auto store = place_.open();
  auto writer = store->create();
  ASSERT_TRUE(writer.ok());
  const std::string piece(64U << 20, 'x');
  for (int i = 0; i < 4; ++i) ASSERT_TRUE((*writer)->write(piece).ok());
  EXPECT_EQ((*writer)->write("x").error().code, Code::too_large);
}

TEST_F(S3StoreTest, CachesAreToldWhatStays) {
  const auto store = place_.open();
  must_put(*store, "packs/00/small", "x");
  must_put(*store, "packs/00/large", noise(kPartBytes + 1, 3));
  ASSERT_TRUE(store->replace("lazyvol-head", std::nullopt, "head").ok());
  ASSERT_TRUE(store->replace("revisions/1", std::nullopt, "head").ok());
  ASSERT_TRUE(store->replace("tags/v1", std::nullopt, "head").ok());
  for (int round = 0; round < 2; ++round) {
    for (const char* pack : {"packs/00/small", "packs/00/large"}) {
      EXPECT_EQ(behind_.field(pack, "cache-control"), "public, max-age=31536000, immutable");
      EXPECT_EQ(behind_.field(pack, "content-type"), "application/octet-stream");
    }
    must_put(*store, "packs/00/small", "x");  // a copy keeps them
    must_put(*store, "packs/00/large", "x");
  }
  for (const char* head : {"lazyvol-head", "tags/v1"}) {
    EXPECT_EQ(behind_.field(head, "cache-control"), "public, max-age=0, must-revalidate");
  }
  EXPECT_EQ(behind_.field("revisions/1", "cache-control"), "public, max-age=3600");
}

TEST_F(S3StoreTest, WhatIsDamagedOnItsWayIsRefused) {
  const auto damaged = std::make_shared<net::Payload>();
  damaged->bytes = "what was sent";
  (void)hashed(damaged);
  damaged->bytes = "what arrived.";
  const Status put = behind_.objects(0).put(behind_.key("packs/00/x"), damaged, "no-store");
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().code, Code::io_error) << put.error().message;
  EXPECT_FALSE((*behind_.objects().head(behind_.key("packs/00/x"))).has_value());
}

TEST_F(S3StoreTest, AStoppedUploadIsAborted) {
  std::stop_source stop;
  place_.tuning().stop = stop.get_token();
  const auto store = place_.open();
  const std::string bytes = noise(12 * kPartBytes, 4);
  std::thread stopper([&] {
    while (behind_.uploads().empty()) std::this_thread::sleep_for(milliseconds(1));
    stop.request_stop();
  });
  const Status done = put(*store, "packs/00/x", bytes);
  stopper.join();
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::cancelled) << done.error().message;
  EXPECT_THAT(behind_.uploads(), ::testing::IsEmpty());
  EXPECT_FALSE((*behind_.objects().head(behind_.key("packs/00/x"))).has_value());
}

TEST_F(S3StoreTest, UploadsOfTheDeadAreAborted) {
  behind_.begin_upload("packs/00/a");
  behind_.begin_upload("packs/00/b");
  behind_.begin_upload("elsewhere/c");
  (void)place_.open();
  EXPECT_EQ(behind_.uploads().size(), 3U) << "they are young";
  place_.tuning().stray_age = seconds(-2);
  (void)place_.open();
  EXPECT_THAT(behind_.uploads(), ::testing::ElementsAre(behind_.key("elsewhere/c")));
}

TEST_F(S3StoreTest, ALockOfTheDeadEnds) {
  const auto lease = place_.tuning().lease = seconds(4);
  const auto store = place_.open();
  behind_.write(".lazyvol/lock", "held by process 1 of elsewhere\n");
  const auto begin = std::chrono::steady_clock::now();
  const auto refused = store->lock();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::busy);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("process 1 of elsewhere"));
  ASSERT_TRUE(store->replace("lazyvol-head", std::nullopt, "x").ok());
  const auto waited = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(waited, lease - seconds(1));
  EXPECT_LE(waited, lease + seconds(30));
  EXPECT_TRUE(store->lock().ok());
}

TEST_F(S3StoreTest, ALockLastsAsLongAsItsHolder) {
  place_.tuning().lease = seconds(4);
  const auto store = place_.open(), other = place_.open();
  {
    const auto lock = store->lock();
    ASSERT_TRUE(lock.ok()) << lock.error().message;
    std::this_thread::sleep_for(seconds(7));
    EXPECT_EQ(other->lock().error().code, Code::busy);
    EXPECT_EQ(store->replace("lazyvol-head", std::nullopt, "x").error().code, Code::busy)
        << "the holder neither, at once";
  }
  EXPECT_TRUE(other->lock().ok());
}

TEST_F(S3StoreTest, NothingIsRemovedOnceTheLockWasLost) {
  place_.tuning().lease = seconds(4);
  const auto store = place_.open();
  must_put(*store, "packs/00/a", "x");
  const auto lock = store->lock();
  ASSERT_TRUE(lock.ok());
  behind_.write(".lazyvol/lock", "held by process 1 of elsewhere\n");
  std::this_thread::sleep_for(seconds(2));
  EXPECT_EQ(store->remove_older("packs/00/a", kForever).error().code, Code::busy);
  EXPECT_EQ(*store->read("packs/00/a", 0, 10), "x");
}

TEST_F(S3StoreTest, WhoFindsAnObjectWhileItIsRemovedWritesItAgain) {
  const auto store = place_.open(), other = place_.open();
  must_put(*store, "packs/00/a", "x");
  auto lock = store->lock();
  ASSERT_TRUE(lock.ok());
  std::thread writer([&] { must_put(*other, "packs/00/a", "x"); });
  std::this_thread::sleep_for(milliseconds(500));  // it has made it young by now, and waits
  EXPECT_TRUE(*store->remove_older("packs/00/a", kForever));
  *lock = nullptr;
  writer.join();
  EXPECT_EQ(*store->read("packs/00/a", 0, 10), "x");
}

TEST_F(S3StoreTest, ALostAnswerIsNoDefeat) {
  lazyvol::testing::Relay relay(Radosgw::shared().port());
  place_.options().endpoint = fmt::format("http://127.0.0.1:{}", relay.port());
  const auto store = place_.open();
  const auto with_lost_answers = [&](auto call) {
    relay.cut_all();
    relay.set_cut_after(1);
    std::thread mender([&] {
      std::this_thread::sleep_for(milliseconds(700));
      relay.set_cut_after(0);
    });
    const Status done = call();
    mender.join();
    EXPECT_TRUE(done.ok()) << done.error().message;
  };
  with_lost_answers([&] { return store->replace("lazyvol-head", std::nullopt, "one"); });
  with_lost_answers([&] { return store->replace("lazyvol-head", "one", "two"); });
  with_lost_answers([&] { return put(*store, "packs/00/x", noise(2 * kPartBytes, 5)); });
  with_lost_answers([&] { return put(*store, "packs/00/x", "x"); });
  with_lost_answers([&] { return store->remove("packs/00/x"); });
  EXPECT_EQ(*store->read("lazyvol-head", 0, 100), "two");
}

TEST_F(S3StoreTest, WithoutConditionsOnePublisherMayStillPublish) {
  lazyvol::testing::TempDir root;
  lazyvol::testing::NginxOptions options;
  options.extra_location = fmt::format(
      "proxy_pass {};\nproxy_set_header Host $http_host;\nproxy_http_version 1.1;\n"
      "proxy_set_header If-Match \"\";\nproxy_set_header If-None-Match \"\";\n"
      "proxy_buffering off;\nclient_max_body_size 0;\n",
      Radosgw::shared().endpoint());
  const lazyvol::testing::Nginx deaf(root.path(), options);
  place_.options().endpoint = deaf.url();
  const auto store = place_.open();
  ASSERT_TRUE(store->replace("lazyvol-head", std::nullopt, "one").ok());
  EXPECT_EQ(store->replace("lazyvol-head", std::nullopt, "x").error().code, Code::busy);
  EXPECT_EQ(store->replace("lazyvol-head", "x", "y").error().code, Code::busy);
  ASSERT_TRUE(store->replace("lazyvol-head", "one", "two").ok());
  must_put(*store, "packs/00/a", "x");
  must_put(*store, "packs/00/a", "x");
  EXPECT_EQ(store->lock().error().code, Code::unsupported);
  EXPECT_EQ(store->remove_older("packs/00/a", kForever).error().code, Code::unsupported);
}

TEST_F(S3StoreTest, WhatIsWrongIsSaidAtOnce) {
  const auto refusal = [&](auto change) {
    Place place;
    model::SourceUrl url = place.url();
    change(place, url);
    const auto store = make_s3_store(url, place.options(), place.tuning());
    EXPECT_FALSE(store.ok());
    const Error error = store.ok() ? Error{Code::busy, "no error"} : store.error();
    EXPECT_EQ(error.message.find('\n'), std::string::npos) << error.message;
    EXPECT_EQ(error.message.find(Radosgw::kSecretKey), std::string::npos) << error.message;
    return std::pair(error.code, error.message);
  };
  using ::testing::HasSubstr;
  using ::testing::Pair;
  EXPECT_THAT(refusal([](Place&, auto& url) { url.authority = "no-such-bucket"; }),
              Pair(Code::not_found, HasSubstr("NoSuchBucket: no such bucket (make it")));
  EXPECT_THAT(refusal([](Place& place, auto&) {
                place.tuning().s3.aws = source::aws_keys(Radosgw::kAccessKey, "wrong");
              }),
              Pair(Code::access_denied, HasSubstr("the secret access key is not the right one")));
  EXPECT_THAT(
      refusal([](Place& place, auto&) { place.tuning().s3.aws = source::aws_environment(); }),
      Pair(Code::access_denied, HasSubstr("no AWS keys found")));
  EXPECT_THAT(refusal([](Place& place, auto&) { place.options().endpoint = "http://127.0.0.1:1"; }),
              Pair(Code::unreachable, HasSubstr("127.0.0.1:1")));
}

TEST_F(S3StoreTest, WhoMayOnlyReadIsToldWhatIsMissing) {
  source::S3Bucket open;
  open.open_to_everybody();
  place_.options().no_sign_request = true;
  const auto url = *model::parse_source_url("s3://" + open.name() + "/v");
  EXPECT_TRUE(open_s3_store(url, place_.options(), place_.tuning()).ok());
  const auto store = make_s3_store(url, place_.options(), place_.tuning());
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, Code::access_denied);
  EXPECT_THAT(store.error().message, ::testing::HasSubstr("s3:PutObject"));
}

TEST(S3Uploads, ReadsPages) {
  const auto page = parse_s3_uploads(
      "<?xml version=\"1.0\"?><ListMultipartUploadsResult "
      "xmlns=\"x\"><NextKeyMarker>k</NextKeyMarker>"
      "<NextUploadIdMarker>i</NextUploadIdMarker><IsTruncated>true</IsTruncated>"
      "<Upload><Key>a/b</Key><UploadId>u</UploadId><Initiator><ID>x</ID></Initiator>"
      "<Initiated>2026-11-22T17:24:33.000Z</Initiated></Upload></ListMultipartUploadsResult>");
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->next_key, "k");
  EXPECT_EQ(page->next_id, "i");
  ASSERT_EQ(page->uploads.size(), 1U);
  EXPECT_EQ(page->uploads[0].key, "a/b");
  EXPECT_EQ(page->uploads[0].id, "u");
  EXPECT_EQ(page->uploads[0].begun_s, 1795368273);
  for (const char* broken :
       {"", "<x/>", "<ListMultipartUploadsResult>",
        "<ListMultipartUploadsResult><Upload><Key>a</Key></Upload></ListMultipartUploadsResult>",
        "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated></"
        "ListMultipartUploadsResult>"}) {
    EXPECT_EQ(parse_s3_uploads(broken).error().code, Code::corrupt) << broken;
  }
}

}  // namespace
}  // namespace lazyvol::publish
