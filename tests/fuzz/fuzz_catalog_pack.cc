// Ends of packs: trailers as they are, and indexes with a trailer made to fit, or no fuzzer would
// get past the hash.
#include <string>
#include <vector>

#include "catalog/pack.h"
#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  using fuzzing::require;
  const std::string_view bytes = fuzzing::text(data, size);
  if (size >= catalog::kPackTrailerBytes) {
    const std::string_view end = bytes.substr(size - catalog::kPackTrailerBytes);
    const auto trailer = catalog::parse_pack_trailer(end, size);
    require(trailer.ok() || trailer.error().code == Code::corrupt ||
                trailer.error().code == Code::unsupported,
            "only corrupt or unsupported");
    if (trailer.ok()) {
      require(trailer->index_offset + std::uint64_t{trailer->index_bytes} +
                      catalog::kPackTrailerBytes ==
                  size,
              "a trailer fits its pack");
      (void)catalog::parse_pack_index({}, *trailer,
                                      bytes.substr(trailer->index_offset, trailer->index_bytes));
    }
  }
  if (size < 4) return 0;
  const std::string_view index = bytes.substr(4);
  catalog::PackTrailer made;
  made.index_bytes = static_cast<std::uint32_t>(index.size());
  made.frames = made.index_bytes / 40;
  made.index_offset = static_cast<std::uint32_t>(data[0] | data[1] << 8 | data[2] << 16);
  made.index_hash = catalog::sha256(index);
  const auto frames = catalog::parse_pack_index({}, made, index);
  if (!frames.ok()) return 0;
  require(frames->size() == made.frames, "one frame for each row");
  std::uint64_t offset = catalog::kPackHeaderBytes;
  for (const catalog::FrameRef& frame : *frames) {
    require(frame.offset == offset && catalog::check_frame_ref(frame).ok(), "frames without gaps");
    offset += frame.stored;
  }
  require(offset == made.index_offset, "up to the index");
  return 0;
}
