#include "catalog/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>

namespace lazyvol::catalog {
namespace {

// Looked up once: EVP_sha256() would search the providers at every use.
const EVP_MD* algorithm() {
  static const EVP_MD* const found = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return found;
}

// Hashing fails only when memory is out or libcrypto was built without SHA-256: no caller could go
// on.
void require(bool ok) {
  if (!ok) std::abort();
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    out.push_back(digits[static_cast<std::uint8_t>(byte) >> 4]);
    out.push_back(digits[static_cast<std::uint8_t>(byte) & 15]);
  }
  return out;
}

std::string Digest::hex() const {
  return to_hex(view());
}

Digest Digest::from(std::string_view bytes) {
  Digest digest;
  std::copy_n(bytes.begin(), std::min(bytes.size(), digest.bytes.size()), digest.bytes.begin());
  return digest;
}

Digest sha256(std::string_view bytes) {
  Digest digest;
  require(EVP_Digest(bytes.data(), bytes.size(), digest.bytes.data(), nullptr, algorithm(),
                     nullptr) == 1);
  return digest;
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  require(context_ != nullptr && EVP_DigestInit_ex(context_.get(), algorithm(), nullptr) == 1);
}

void Sha256::update(std::string_view bytes) {
  require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

Digest Sha256::finish() {
  Digest digest;
  require(EVP_DigestFinal_ex(context_.get(), digest.bytes.data(), nullptr) == 1);
  return digest;
}

void Sha256::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

}  // namespace lazyvol::catalog
