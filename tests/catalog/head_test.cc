#include "catalog/head.h"

#include <gtest/gtest.h>

#include "catalog/head_check.h"
#include "hostile.h"
#include "samples.h"

namespace lazyvol::catalog {
namespace {

SecretKey key(std::uint8_t number) {
  std::array<std::uint8_t, 32> seed{};
  seed[0] = number;
  return SecretKey::from_seed(seed);
}

Head sample_head(std::uint64_t sequence = 7) {
  Head head;
  head.volume = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  head.sequence = sequence;
  head.parent = sha256("parent");
  head.created_ns = 1'700'000'000'000'000'000;
  head.expires_ns = 1'700'000'100'000'000'000;
  head.next_id = 9;
  head.root = {0750, 10, 20, -5};
  head.statistics = {5, 2, 1, 4, 123'456, 100'000};
  head.hot_packs = {{sha256("hot"), 1'000'000}};
  const auto entries = sample_kinds();
  head.roots = {encode_leaf_page(entries), encode_ids_page(id_runs(entries))};
  return head;
}

HeadDocument document(const Head& head, const SecretKey* signer = nullptr) {
  return *parse_head(*encode_head(head, signer));
}

TEST(Head, ComesBack) {
  const SecretKey signer = key(1);
  for (const SecretKey* by : {static_cast<const SecretKey*>(nullptr), &signer}) {
    const auto bytes = encode_head(sample_head(), by);
    ASSERT_TRUE(bytes.ok());
    const auto read = parse_head(*bytes);
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->head, sample_head());
    EXPECT_EQ(read->digest, sha256(*bytes));
    EXPECT_EQ(read->signer.has_value(), by != nullptr);
    if (by != nullptr) {
      EXPECT_EQ(*read->signer, by->public_key());
    }
  }
}

TEST(Head, NoBitCanBeChanged) {
  const SecretKey signer = key(1);
  for (const SecretKey* by : {static_cast<const SecretKey*>(nullptr), &signer}) {
    const std::string bytes = *encode_head(sample_head(), by);
    with_damage(bytes, 200, [&](std::string_view changed) {
      if (changed == bytes) return;
      const auto read = parse_head(changed);
      ASSERT_FALSE(read.ok());
      EXPECT_TRUE(read.error().code == Code::corrupt || read.error().code == Code::unsupported);
    });
  }
}

TEST(Head, FieldsAreCheckedBehindAGoodChecksum) {
  // What a hostile publisher may sign: any bytes in place of the fields.
  const std::string bytes = *encode_head(sample_head(), nullptr);
  constexpr std::size_t kBegin = 17, kEnd = 33;
  const std::string fields = bytes.substr(kBegin, bytes.size() - kBegin - kEnd);
  with_damage(fields, 3'000, [&](std::string_view changed) {
    std::string body = bytes.substr(0, kBegin) + std::string(changed) + std::string(1, '\0');
    body += sha256("lazyvol head signature 1\n" + body).view();
    const auto read = parse_head(body);
    if (!read.ok()) {
      EXPECT_EQ(read.error().code, Code::corrupt);
      return;
    }
    EXPECT_TRUE(parse_head(*encode_head(read->head, nullptr)).ok());
  });
}

TEST(Head, ANewerFormatIsNamed) {
  std::string bytes = *encode_head(sample_head(), nullptr);
  bytes[13] = 2;
  const auto read = parse_head(bytes);
  EXPECT_EQ(read.error().code, Code::unsupported);
  EXPECT_NE(read.error().message.find("format 2"), std::string::npos);
  EXPECT_NE(read.error().message.find("newer"), std::string::npos);
  // Whatever else it may look like.
  EXPECT_EQ(parse_head(bytes.substr(0, 17)).error().code, Code::unsupported);
}

TEST(Head, CannotBeMadeOfNonsense) {
  Head head = sample_head();
  head.sequence = 0;
  EXPECT_EQ(encode_head(head, nullptr).error().code, Code::invalid_argument);
  head = sample_head();
  head.hot_packs.resize(kMaxHotPacks + 1);
  EXPECT_EQ(encode_head(head, nullptr).error().code, Code::invalid_argument);
  head = sample_head();
  head.root.mode = 0100755;
  EXPECT_EQ(encode_head(head, nullptr).error().code, Code::invalid_argument);
  head = sample_head();
  head.next_id = 1;
  EXPECT_EQ(encode_head(head, nullptr).error().code, Code::invalid_argument);
  head = sample_head();
  head.chunking.leaf_log2 = 30;
  EXPECT_EQ(encode_head(head, nullptr).error().code, Code::invalid_argument);
  EXPECT_EQ(parse_head(std::string(kMaxHeadBytes + 1, 'x')).error().code, Code::corrupt);
}

TEST(CheckSigner, TakesTheKeyThatTheUserNamed) {
  const SecretKey one = key(1), other = key(2);
  const auto by_one = document(sample_head(), &one), by_nobody = document(sample_head());
  EXPECT_TRUE(check_signer(by_one, one.public_key(), std::nullopt).ok());
  for (const auto& [head, required] :
       {std::pair(by_one, other.public_key()), std::pair(by_nobody, one.public_key())}) {
    const auto checked = check_signer(head, required, std::nullopt);
    ASSERT_FALSE(checked.ok());
    EXPECT_EQ(checked.error().code, Code::access_denied);
    EXPECT_NE(checked.error().message.find(required.text()), std::string::npos);
  }
  // A key that was named is stronger than what was seen: keys may be changed that way.
  EXPECT_TRUE(check_signer(by_one, one.public_key(), seen(document(sample_head(), &other))).ok());
}

TEST(CheckSigner, HoldsOnToTheFirstKeySeen) {
  const SecretKey one = key(1), other = key(2);
  const auto by_one = document(sample_head(), &one), by_other = document(sample_head(), &other),
             by_nobody = document(sample_head());
  EXPECT_TRUE(check_signer(by_one, std::nullopt, std::nullopt).ok());
  EXPECT_TRUE(check_signer(by_nobody, std::nullopt, std::nullopt).ok());
  EXPECT_TRUE(check_signer(by_one, std::nullopt, seen(by_one)).ok());
  EXPECT_TRUE(check_signer(by_one, std::nullopt, seen(by_nobody)).ok());
  EXPECT_EQ(check_signer(by_other, std::nullopt, seen(by_one)).error().code, Code::access_denied);
  EXPECT_EQ(check_signer(by_nobody, std::nullopt, seen(by_one)).error().code, Code::access_denied);
}

TEST(CheckSuccession, RefusesRollbackAndTwoStories) {
  const auto before = seen(document(sample_head(7)));
  EXPECT_TRUE(check_succession(document(sample_head(1)), std::nullopt).ok());
  EXPECT_TRUE(check_succession(document(sample_head(7)), before).ok());
  EXPECT_TRUE(check_succession(document(sample_head(8)), before).ok());
  EXPECT_EQ(check_succession(document(sample_head(6)), before).error().code, Code::stale);
  Head twin = sample_head(7);
  twin.created_ns += 1;
  EXPECT_EQ(check_succession(document(twin), before).error().code, Code::stale);
  Head foreign = sample_head(8);
  foreign.volume[0] ^= 1;
  EXPECT_EQ(check_succession(document(foreign), before).error().code, Code::stale);
}

TEST(CheckExpiry, IsExact) {
  Head head = sample_head();
  EXPECT_TRUE(check_expiry(head, head.expires_ns - 1).ok());
  EXPECT_EQ(check_expiry(head, head.expires_ns).error().code, Code::stale);
  EXPECT_NE(check_expiry(head, head.expires_ns + 120'000'000'000)
                .error()
                .message.find("expired 2 minutes ago"),
            std::string::npos);
  head.expires_ns = 0;
  EXPECT_TRUE(check_expiry(head, INT64_MAX).ok());
}

}  // namespace
}  // namespace lazyvol::catalog
