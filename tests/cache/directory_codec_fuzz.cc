// libFuzzer target: any bytes as a chunk, a header and a node record. Built with -Dfuzz=true
// (clang).
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cache/directory_codec.h"

namespace {

using namespace lazyvol::cache;

void require(bool condition) {
  if (!condition) std::abort();
}

// What is accepted must be storable, and mean the same after another trip.
void check_chunk(std::string_view bytes) {
  ChunkCursor cursor(bytes);
  ChunkEncoder encoder;
  std::vector<StoredEntry> entries;
  while (cursor.next()) {
    entries.push_back(cursor.entry());
    require(check_storable(entries.back()).ok());
    encoder.add(entries.back());
  }
  const std::string packed = encoder.take();
  ChunkCursor again(packed);
  for (const StoredEntry& entry : entries) require(again.next() && again.entry() == entry);
  require(!again.next() && again.status().ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_chunk(bytes);
  const auto header = decode_header(bytes);
  if (header.ok()) require(*decode_header(encode_header(*header)) == *header);
  const auto place = decode_place(bytes);
  if (place.ok()) require(decode_place(encode_place(place->parent, place->name)).ok());
  return 0;
}
