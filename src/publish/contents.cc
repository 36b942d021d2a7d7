#include "publish/contents.h"

#include <algorithm>

#include "base/bytes.h"

namespace lazyvol::publish {
namespace {

Fingerprint first_half(const catalog::Digest& digest) {
  Fingerprint result{};
  std::copy_n(digest.bytes.begin(), result.size(), result.begin());
  return result;
}

}  // namespace

void ContentFingerprint::part(char kind, std::uint64_t length, std::string_view digest) {
  base::ByteWriter out;
  out.byte(static_cast<std::uint8_t>(kind));
  out.little(length, 8);
  out.raw(digest);
  hash_.update(out.view());
}

void ContentFingerprint::chunk(const catalog::Digest& digest, std::uint64_t length) {
  part('c', length, digest.view());
}

void ContentFingerprint::hole(std::uint64_t length) {
  part('h', length, {});
}

Fingerprint ContentFingerprint::finish() {
  return first_half(hash_.finish());
}

Fingerprint target_fingerprint(std::string_view target) {
  catalog::Sha256 hash;
  hash.update("link ");
  hash.update(target);
  return first_half(hash.finish());
}

}  // namespace lazyvol::publish
