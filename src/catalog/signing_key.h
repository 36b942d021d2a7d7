// Ed25519 keys (RFC 8032), by libcrypto. Files are PEM as OpenSSL writes it: `openssl genpkey
// -algorithm ed25519` makes a secret key, `openssl pkey -pubout` its public one.
//
// Thread rule: values; no member changes one.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::catalog {

using Signature = std::array<std::uint8_t, 64>;

/// What anybody may know: proves who signed.
struct PublicKey {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const PublicKey&) const = default;

  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  /// "ed25519:" and 64 hexadecimal digits, for options and messages.
  std::string text() const;
  /// PEM, SubjectPublicKeyInfo (RFC 8410).
  std::string pem() const;
  bool verify(std::string_view message, const Signature& signature) const;
};

/// From text() or pem(), with white space around. Errors: invalid_argument; never shows the text.
Result<PublicKey> parse_public_key(std::string_view text);

/// The publisher's secret. Its bytes are wiped when it goes.
class SecretKey {
 public:
  /// A new one, of the system's randomness. Errors: io_error when there is none.
  static Result<SecretKey> generate();
  /// From PEM, PKCS #8, without a passphrase. Errors: invalid_argument; never shows the text.
  static Result<SecretKey> parse(std::string_view pem);
  /// From the 32 bytes of RFC 8032's secret key.
  static SecretKey from_seed(const std::array<std::uint8_t, 32>& seed);

  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();

  /// PEM, PKCS #8: for a file of mode 0600.
  std::string pem() const;
  PublicKey public_key() const { return public_; }
  Signature sign(std::string_view message) const;

 private:
  SecretKey() = default;
  std::array<std::uint8_t, 32> seed_{};
  PublicKey public_;
};

}  // namespace lazyvol::catalog
