#include "catalog/signing_key.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <memory>

#include "catalog/digest.h"

namespace lazyvol::catalog {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Context = std::unique_ptr<EVP_MD_CTX, Free>;
using Bio = std::unique_ptr<BIO, Free>;

constexpr std::string_view kTextPrefix = "ed25519:";
constexpr std::size_t kMaxKeyFile = 16 * 1024;

// Fails only when memory is out or libcrypto has no Ed25519: no caller could go on.
void require(bool ok) {
  if (!ok) std::abort();
}

Key secret_of(const std::array<std::uint8_t, 32>& seed) {
  Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  require(key != nullptr);
  return key;
}

std::string contents(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  std::string text(data, static_cast<std::size_t>(std::max(size, 0L)));
  OPENSSL_cleanse(data, text.size());
  return text;
}

Bio reader(std::string_view text) {
  if (text.empty()) text = " ";  // BIO_new_mem_buf takes no null pointer
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  require(bio != nullptr);
  return bio;
}

// A passphrase is never asked for at a terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
  const std::size_t end = text.find_last_not_of(kSpace);
  return end == std::string_view::npos ? std::string_view() : text.substr(begin, end + 1 - begin);
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

Error no_public_key() {
  return {Code::invalid_argument,
          "no Ed25519 public key, which is PEM (the .pub file that `lazyvol keygen` wrote), or "
          "ed25519: and 64 hexadecimal digits"};
}

Error no_secret_key() {
  return {Code::invalid_argument,
          "no Ed25519 secret key: PEM without a passphrase is, as `lazyvol keygen` writes it"};
}

Result<PublicKey> public_from_hex(std::string_view hex) {
  PublicKey key;
  if (hex.size() != 2 * key.bytes.size()) return no_public_key();
  for (std::size_t i = 0; i < key.bytes.size(); ++i) {
    const int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return no_public_key();
    key.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return key;
}

}  // namespace

std::string PublicKey::text() const {
  return std::string(kTextPrefix) + to_hex(view());
}

std::string PublicKey::pem() const {
  const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes.data(), bytes.size()));
  const Bio bio(BIO_new(BIO_s_mem()));
  require(key != nullptr && bio != nullptr && PEM_write_bio_PUBKEY(bio.get(), key.get()) == 1);
  return contents(bio);
}

bool PublicKey::verify(std::string_view message, const Signature& signature) const {
  const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes.data(), bytes.size()));
  const Context context(EVP_MD_CTX_new());
  return key != nullptr && context != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                          reinterpret_cast<const unsigned char*>(message.data()),
                          message.size()) == 1;
}

Result<PublicKey> parse_public_key(std::string_view text) {
  if (text.size() > kMaxKeyFile) return no_public_key();
  text = trimmed(text);
  if (text.substr(0, kTextPrefix.size()) == kTextPrefix) {
    return public_from_hex(text.substr(kTextPrefix.size()));
  }
  const Key key(PEM_read_bio_PUBKEY(reader(text).get(), nullptr, no_passphrase, nullptr));
  PublicKey result;
  std::size_t size = result.bytes.size();
  if (key == nullptr || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519 ||
      EVP_PKEY_get_raw_public_key(key.get(), result.bytes.data(), &size) != 1) {
    return no_public_key();
  }
  return result;
}

SecretKey::~SecretKey() {
  OPENSSL_cleanse(seed_.data(), seed_.size());
}

SecretKey SecretKey::from_seed(const std::array<std::uint8_t, 32>& seed) {
  SecretKey result;
  result.seed_ = seed;
  std::size_t size = result.public_.bytes.size();
  require(EVP_PKEY_get_raw_public_key(secret_of(seed).get(), result.public_.bytes.data(), &size) ==
          1);
  return result;
}

Result<SecretKey> SecretKey::generate() {
  std::array<std::uint8_t, 32> seed{};
  if (RAND_priv_bytes(seed.data(), static_cast<int>(seed.size())) != 1) {
    return Error{Code::io_error, "the system gives no random bytes"};
  }
  SecretKey key = from_seed(seed);
  OPENSSL_cleanse(seed.data(), seed.size());
  return key;
}

Result<SecretKey> SecretKey::parse(std::string_view pem) {
  if (pem.size() > kMaxKeyFile) return no_secret_key();
  const Key key(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, no_passphrase, nullptr));
  std::array<std::uint8_t, 32> seed{};
  std::size_t size = seed.size();
  if (key == nullptr || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519 ||
      EVP_PKEY_get_raw_private_key(key.get(), seed.data(), &size) != 1) {
    return no_secret_key();
  }
  SecretKey result = from_seed(seed);
  OPENSSL_cleanse(seed.data(), seed.size());
  return result;
}

std::string SecretKey::pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  require(bio != nullptr &&
          PEM_write_bio_PKCS8PrivateKey(bio.get(), secret_of(seed_).get(), nullptr, nullptr, 0,
                                        nullptr, nullptr) == 1);
  return contents(bio);
}

Signature SecretKey::sign(std::string_view message) const {
  const Key key = secret_of(seed_);
  const Context context(EVP_MD_CTX_new());
  Signature signature{};
  std::size_t size = signature.size();
  require(context != nullptr &&
          EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
          EVP_DigestSign(context.get(), signature.data(), &size,
                         reinterpret_cast<const unsigned char*>(message.data()),
                         message.size()) == 1 &&
          size == signature.size());
  return signature;
}

}  // namespace lazyvol::catalog
