// Frames and packs. The first byte says how long the frame claims to be; its hash is made to fit,
// or nothing behind it would ever be reached.
#include <string>

#include "catalog/frame.h"
#include "catalog/pack.h"
#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  using fuzzing::require;
  const std::string_view bytes = fuzzing::text(data, size);
  (void)catalog::verify_pack(catalog::sha256(bytes), bytes);
  if (size < 2) return 0;
  const std::string_view stored = bytes.substr(1);
  catalog::FrameRef ref;
  ref.raw = static_cast<std::uint32_t>(data[0]) * 64;
  ref.stored = static_cast<std::uint32_t>(stored.size());
  ref.hash = catalog::sha256(stored);
  const auto raw = catalog::decode_frame(ref, stored);
  require(raw.ok() || raw.error().code == Code::corrupt, "only corrupt");
  require(!raw.ok() || raw->size() == ref.raw, "as long as it was said to be");
  ref.hash.bytes[0] ^= 1;
  require(!catalog::decode_frame(ref, stored).ok(), "another hash is refused");
  return 0;
}
