#include "model/content.h"

#include <xxhash.h>

namespace lazyvol::model {

std::string ContentKey::hex() const {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const auto byte : bytes) {
    out.push_back(digits[byte >> 4]);
    out.push_back(digits[byte & 15]);
  }
  return out;
}

ContentKey live_content_key(std::string_view source, std::string_view path,
                            std::string_view validator) {
  std::string buffer;
  for (const std::string_view part : {source, path, validator}) {
    const std::uint64_t length = part.size();
    for (int shift = 0; shift < 64; shift += 8) {
      buffer.push_back(static_cast<char>(length >> shift));
    }
    buffer.append(part);
  }
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(buffer.data(), buffer.size()));
  ContentKey key;
  static_assert(sizeof canonical.digest == sizeof key.bytes);
  std::memcpy(key.bytes.data(), canonical.digest, key.bytes.size());
  return key;
}

}  // namespace lazyvol::model
