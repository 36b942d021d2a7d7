#include "catalog/signing_key.h"

#include <gtest/gtest.h>

#include "catalog/digest.h"

namespace lazyvol::catalog {
namespace {

// RFC 8032, section 7.1, test 2.
constexpr std::array<std::uint8_t, 32> kSeed = {
    0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e, 0x0f,
    0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb};

TEST(SigningKey, IsEd25519) {
  const SecretKey key = SecretKey::from_seed(kSeed);
  EXPECT_EQ(key.public_key().text(),
            "ed25519:3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const Signature signature = key.sign("\x72");
  EXPECT_EQ(to_hex({reinterpret_cast<const char*>(signature.data()), signature.size()}),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  EXPECT_TRUE(key.public_key().verify("\x72", signature));
  EXPECT_FALSE(key.public_key().verify("\x73", signature));
}

TEST(SigningKey, AnotherKeyDoesNotVerify) {
  const auto one = SecretKey::generate(), other = SecretKey::generate();
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_NE(one->public_key(), other->public_key());
  EXPECT_FALSE(other->public_key().verify("text", one->sign("text")));
  Signature signature = one->sign("text");
  signature[10] ^= 1;
  EXPECT_FALSE(one->public_key().verify("text", signature));
}

TEST(SigningKey, FilesComeBack) {
  const SecretKey key = SecretKey::from_seed(kSeed);
  const auto again = SecretKey::parse("\n" + key.pem() + "\n");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->public_key(), key.public_key());
  EXPECT_EQ(again->sign("x"), key.sign("x"));
  for (const std::string& text :
       {key.public_key().text(), key.public_key().pem(), "  " + key.public_key().text() + "\n"}) {
    EXPECT_EQ(*parse_public_key(text), key.public_key());
  }
  EXPECT_EQ(key.pem(),
            "-----BEGIN PRIVATE KEY-----\n"
            "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"
            "-----END PRIVATE KEY-----\n");
}

TEST(SigningKey, RefusesWhatIsNone) {
  const SecretKey key = SecretKey::from_seed(kSeed);
  const std::string x25519 =
      "-----BEGIN PUBLIC KEY-----\n"
      "MCowBQYDK2VuAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
      "-----END PUBLIC KEY-----\n";
  for (const std::string& text :
       {std::string(), std::string("ed25519:"), key.public_key().text() + "0",
        key.public_key().text().substr(0, 71) + "g", std::string("rsa:00"), key.pem(), x25519,
        std::string(20'000, 'x')}) {
    EXPECT_EQ(parse_public_key(text).error().code, Code::invalid_argument);
  }
  for (const std::string& text :
       {std::string(), key.public_key().pem(), key.pem().substr(0, 60), std::string(20'000, 'x')}) {
    const auto parsed = SecretKey::parse(text);
    ASSERT_FALSE(parsed.ok());
    EXPECT_EQ(parsed.error().code, Code::invalid_argument);
    EXPECT_EQ(parsed.error().message.find("MC4C"), std::string::npos);
  }
}

}  // namespace
}  // namespace lazyvol::catalog
