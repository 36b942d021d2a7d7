// How much of everything a publisher holds at once, in one place.
//
// Memory of a publish is the sum of these, about 100 bytes for each name of the tree, 50 for each
// name of the revision before, 60 for each signature, and 16 for each chunk that was read.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/units.h"
#include "catalog/pack.h"

namespace lazyvol::publish {

struct Limits {
  std::uint32_t pack_target = catalog::kPackTarget;   ///< a pack that has reached this is closed
  std::size_t pack_frames = 65'536;                   ///< or has so many frames
  std::uint32_t frame_target = 128 * 1024;            ///< bytes that small chunks are bundled to
  std::uint64_t ahead_bytes = 64 * base::kMiB;        ///< read and not yet bundled
  std::uint64_t file_ahead_bytes = 16 * base::kMiB;   ///< of them, of the file that is next in line
  std::size_t ahead_files = 4096;                     ///< files begun and not yet bundled
  std::uint64_t compressing_bytes = 32 * base::kMiB;  ///< bundled and not yet written, raw
  std::size_t pages_ahead = 256;                      ///< pages of a catalog being compressed
  /// More edits than this build the catalog anew, entry by entry, instead of being held in memory.
  std::size_t edits = 100'000;
  std::size_t left_out = 100;  ///< names in a report
  /// A file that changed less than this before it was read may change again without a trace: the
  /// coarsest clock of a file system in use.
  std::int64_t settle_ns = 2'000'000'000;
};

}  // namespace lazyvol::publish
