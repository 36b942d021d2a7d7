// Which heads are accepted, and what is served when none can be had.
#include "published_fixture.h"

namespace lazyvol::testing {
namespace {

class PublishedTrustTest : public PublishedTest {
 protected:
  void SetUp() override { origin_.put("f", "one"); }
  void publish(const std::string& bytes) {
    origin_.put("f", bytes);
    origin_.publish();
  }
  std::string refusal(const model::MountOptions& options, Code code) {
    stack_.reset();
    const Status status = try_open(options);
    EXPECT_FALSE(status.ok());
    if (status.ok()) return "";
    EXPECT_EQ(status.error().code, code) << status.error().message;
    EXPECT_EQ(status.error().message.find('\n'), std::string::npos);
    return status.error().message;
  }
  std::string refresh_refusal(Code code) {
    const auto report = stack().refresh();
    EXPECT_FALSE(report.ok());
    if (report.ok()) return "";
    EXPECT_EQ(report.error().code, code) << report.error().message;
    EXPECT_EQ(published().refresh_error, report.error().message);
    return report.error().message;
  }
};

TEST_F(PublishedTrustTest, AnOlderHeadIsRefusedAndSoItIsAfterARestart) {
  publish("one");
  publish("two");
  open();
  EXPECT_EQ(content("f"), "two");
  origin_.replay(1);
  EXPECT_NE(refresh_refusal(Code::stale).find("older than 2"), std::string::npos);
  EXPECT_EQ(content("f"), "two");
  EXPECT_NE(refusal({}, Code::stale).find("older than 2"), std::string::npos);
  origin_.replay(2);
  stack_.reset();
  open();
  EXPECT_EQ(content("f"), "two");
}

TEST_F(PublishedTrustTest, TheFirstSignerIsHeldOnTo) {
  publish("one");
  open();
  EXPECT_EQ(published().signer, origin_.key_text());
  origin_.sign_with(9);
  publish("two");
  EXPECT_NE(refresh_refusal(Code::access_denied).find(origin_.key_text()), std::string::npos);
  refusal({}, Code::access_denied);
  origin_.sign_with(std::nullopt);
  publish("three");
  EXPECT_NE(refusal({}, Code::access_denied).find("not signed"), std::string::npos);
}

TEST_F(PublishedTrustTest, ANamedKeyMustHaveSigned) {
  publish("one");
  model::MountOptions options;
  options.key = origin_.key_text();
  open(options);
  EXPECT_EQ(content("f"), "one");
  options.key = "ed25519:" + std::string(64, '0');
  EXPECT_NE(refusal(options, Code::access_denied).find(options.key), std::string::npos);
  options.key = (dir_.path() / "none.pem").string();
  refusal(options, Code::not_found);
  write_file(dir_.path() / "bad.pem", "no key");
  options.key = (dir_.path() / "bad.pem").string();
  refusal(options, Code::invalid_argument);
}

TEST_F(PublishedTrustTest, AKeyFileIsPem) {
  publish("one");
  std::array<std::uint8_t, 32> seed{};
  seed.fill(1);
  write_file(dir_.path() / "key.pem", catalog::SecretKey::from_seed(seed).public_key().pem());
  model::MountOptions options;
  options.key = (dir_.path() / "key.pem").string();
  open(options);
  EXPECT_EQ(content("f"), "one");
}

TEST_F(PublishedTrustTest, AnotherVolumeIsRefused) {
  publish("one");
  open();
  origin_.head().volume.fill(77);
  publish("two");
  EXPECT_NE(refresh_refusal(Code::stale).find("another volume"), std::string::npos);
  EXPECT_NE(refusal({}, Code::stale).find("another volume"), std::string::npos);
}

TEST_F(PublishedTrustTest, AnExpiredHeadIsNotMountedButGoesOnBeingShown) {
  origin_.head().expires_ns = clock_.wall_ns() + 3'600'000'000'000;
  publish("one");
  open();
  clock_.advance(std::chrono::hours(2));
  EXPECT_NE(refresh_refusal(Code::stale).find("expired"), std::string::npos);
  EXPECT_EQ(content("f"), "one");
  EXPECT_NE(refusal({}, Code::stale).find("expired"), std::string::npos);
  gate_->fail("", Code::unreachable);
  refusal({}, Code::unreachable);
  gate_->fail("", std::nullopt);
  origin_.head().expires_ns = clock_.wall_ns() + 3'600'000'000'000;
  publish("two");
  stack_.reset();
  open();
  EXPECT_EQ(content("f"), "two");
}

TEST_F(PublishedTrustTest, ATamperedHeadIsRefused) {
  publish("one");
  open();
  const auto head = dir_.path() / "volume" / "lazyvol-head";
  std::string text = read_file(head);
  text[text.size() / 2] ^= 1;
  write_file(head, text);
  refresh_refusal(Code::corrupt);
  refusal({}, Code::corrupt);
  text = read_file(dir_.path() / "volume" / "revisions" / "1");
  text[13] = 2;
  write_file(head, text);
  EXPECT_NE(refusal({}, Code::unsupported).find("format"), std::string::npos);
}

TEST_F(PublishedTrustTest, MountsOfflineWhatWasKnown) {
  publish("one");
  open();
  EXPECT_EQ(content("f"), "one");
  stack_.reset();
  gate_->fail("", Code::unreachable);
  open();
  EXPECT_TRUE(published().offline);
  EXPECT_EQ(published().sequence, 1U);
  gate_->fail("", std::nullopt);
  publish("two");
  ASSERT_TRUE(eventually([&] { return stack().refresh().ok(); }));
  EXPECT_FALSE(published().offline);
  EXPECT_EQ(content("f"), "two");
}

TEST_F(PublishedTrustTest, DoesNotMountOfflineTheFirstTime) {
  publish("one");
  gate_ = std::make_shared<GateSource>(source(url_));
  gate_->fail("", Code::unreachable);
  model::MountOptions options;
  options.layout = "published";
  refusal(options, Code::unreachable);
}

TEST_F(PublishedTrustTest, ARevisionCanBePinned) {
  publish("one");
  publish("two");
  publish("three");
  model::MountOptions options;
  options.revision = "2";
  open(options);
  EXPECT_EQ(content("f"), "two");
  publish("four");
  must_refresh();
  EXPECT_EQ(content("f"), "two");
  EXPECT_EQ(published().sequence, 2U);
  stack_.reset();
  open();
  EXPECT_EQ(content("f"), "four");
  stack_.reset();
  options.revision = "1";
  open(options);
  EXPECT_EQ(content("f"), "one") << "older than what was seen, and asked for by its number";
  options.revision = "99";
  refusal(options, Code::not_found);
}

TEST_F(PublishedTrustTest, TagsAreLookedUpAgain) {
  origin_.tag = "stable";
  publish("one");
  origin_.tag.clear();
  publish("two");
  model::MountOptions options;
  options.revision = "stable";
  open(options);
  EXPECT_EQ(content("f"), "one");
  must_refresh();
  EXPECT_EQ(content("f"), "one");
  origin_.tag = "stable";
  publish("three");
  must_refresh();
  EXPECT_EQ(content("f"), "three");
}

TEST_F(PublishedTrustTest, TheLayoutFollowsTheHead) {
  model::MountOptions options;
  std::filesystem::create_directories(dir_.path() / "volume");
  EXPECT_EQ(try_open(options).error().code, Code::unsupported);
  EXPECT_FALSE(published_) << "a directory without a head is one of files";
  options.key = origin_.key_text();
  EXPECT_NE(refusal(options, Code::invalid_argument).find("key"), std::string::npos);
  options = {};
  options.mirror = {url_};
  EXPECT_NE(refusal(options, Code::invalid_argument).find("mirror"), std::string::npos);

  publish("one");
  options = {};
  options.layout = "files";
  EXPECT_EQ(try_open(options).error().code, Code::unsupported);
  EXPECT_FALSE(published_);
  stack_.reset();
  open();
  EXPECT_TRUE(published_);
  std::filesystem::remove(dir_.path() / "volume" / "lazyvol-head");
  EXPECT_NE(refusal({}, Code::stale).find("layout=files"), std::string::npos)
      << "a volume that lost its head is not shown as the files that it is made of";
}

TEST_F(PublishedTrustTest, WhatTheSourceWasDecidesWhileItCannotBeAsked) {
  std::filesystem::create_directories(dir_.path() / "volume");
  gate_ = std::make_shared<GateSource>(source(url_));
  gate_->fail("", Code::unreachable);
  refusal({}, Code::unreachable);
  gate_->fail("", std::nullopt);
  refusal({}, Code::unsupported);
  gate_->fail("", Code::unreachable);
  refusal({}, Code::unsupported);
  EXPECT_FALSE(published_) << "it held files before";
  gate_->fail("", std::nullopt);
  write_file(dir_.path() / "volume" / "lazyvol-head", "<html>whatever you ask for</html>");
  refusal({}, Code::unsupported);
  EXPECT_FALSE(published_) << "a page is no head";
  publish("one");
  stack_.reset();
  open();
  stack_.reset();
  gate_->fail("", Code::unreachable);
  open();
  EXPECT_TRUE(published_);
}

TEST_F(PublishedTrustTest, AMirrorThatLagsBehindIsPassedOver) {
  publish("one");
  std::filesystem::copy(dir_.path() / "volume", dir_.path() / "mirror",
                        std::filesystem::copy_options::recursive);
  publish("two");
  model::MountOptions options;
  options.mirror = {(dir_.path() / "mirror").string()};
  open(options);
  EXPECT_EQ(content("f"), "two");
  gate_->fail("lazyvol-head", Code::unreachable);
  const auto report = stack().refresh();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Code::unreachable) << "what the first one said";
  EXPECT_EQ(content("f"), "two");
}

}  // namespace
}  // namespace lazyvol::testing
