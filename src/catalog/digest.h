// SHA-256: what names packs and proves frames.
//
// From OpenSSL's libcrypto, which uses the processor's SHA instructions where there are any. Thread
// rule: a Sha256 belongs to one thread at a time; the rest are values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace lazyvol::catalog {

/// 32 bytes of SHA-256.
struct Digest {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const Digest&) const = default;
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string hex() const;
  /// The first 32 bytes of `bytes`; zeros in place of those that it does not have.
  static Digest from(std::string_view bytes);
};

/// For hash tables: the bytes are a hash already.
struct DigestHash {
  std::size_t operator()(const Digest& digest) const noexcept {
    std::size_t out = 0;
    std::memcpy(&out, digest.bytes.data(), sizeof out);
    return out;
  }
};

Digest sha256(std::string_view bytes);

/// SHA-256 of bytes that come in parts.
class Sha256 {
 public:
  Sha256();
  void update(std::string_view bytes);
  /// The digest of all that came; the object is of no use afterwards.
  Digest finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

/// Two lower-case digits for each byte.
std::string to_hex(std::string_view bytes);

}  // namespace lazyvol::catalog
