// The index's rows of directories: any bytes as a chunk, a header and a node record.
#include <string>
#include <vector>

#include "cache/directory_codec.h"
#include "fuzz_target.h"

namespace {

using namespace lazyvol::cache;
using lazyvol::fuzzing::require;

// What is accepted must be storable, and mean the same after another trip.
void check_chunk(std::string_view bytes) {
  ChunkCursor cursor(bytes);
  ChunkEncoder encoder;
  std::vector<StoredEntry> entries;
  while (cursor.next()) {
    entries.push_back(cursor.entry());
    require(check_storable(entries.back()).ok(), "an entry that was read can be stored");
    encoder.add(entries.back());
  }
  const std::string packed = encoder.take();
  ChunkCursor again(packed);
  for (const StoredEntry& entry : entries) {
    require(again.next() && again.entry() == entry, "an entry is the same after another trip");
  }
  require(!again.next() && again.status().ok(), "a chunk ends where it ended");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = lazyvol::fuzzing::text(data, size);
  check_chunk(bytes);
  if (const auto header = decode_header(bytes); header.ok()) {
    require(*decode_header(encode_header(*header)) == *header, "a header is the same");
  }
  if (const auto place = decode_place(bytes); place.ok()) {
    require(decode_place(encode_place(place->parent, place->name)).ok(), "a place is the same");
  }
  return 0;
}
