// Where a long file is cut: content-defined chunks, so that an insertion moves no other boundary.
//
// FastCDC: W. Xia et al., "FastCDC: a Fast and Efficient Content-Defined Chunking Approach for Data
// Deduplication", USENIX ATC 2016, algorithm 2: a gear hash, no cut below the least size, and
// normalised chunking of level 2 (a mask of two bits more before the normal size, of two less after
// it). The table of the gear hash is ours: it comes from splitmix64 (S. Vigna) and must never
// change, or every volume would be stored anew. Thread rule: values and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/units.h"

namespace lazyvol::publish {

/// Files up to this are one chunk.
inline constexpr std::uint64_t kWholeFile = 256 * base::kKiB;

/// Bytes; the normal size is a power of two.
struct ChunkSizes {
  std::uint32_t least = 0, normal = 0, most = 0;
  bool operator==(const ChunkSizes&) const = default;
};
/// How long files are cut: standard 64/256/1024 KiB, fine 16/64/256, both 256/1024/4096 for files
/// of 1 GiB and more; fixed every 64 KiB, wherever content would have it: for files that are read
/// at random and changed in place, whose readers then move one such part for each read.
enum class Chunks : std::uint8_t { standard, fine, fixed };
inline constexpr std::uint32_t kFixedChunk = 64 * 1024;
ChunkSizes chunk_sizes(std::uint64_t file_size, Chunks chunks);

class Chunker {
 public:
  explicit Chunker(const ChunkSizes& sizes);
  const ChunkSizes& sizes() const { return sizes_; }
  /// The length of the first chunk of `bytes`, which are `most` bytes or more, or all there are.
  std::size_t cut(std::string_view bytes) const;

 private:
  ChunkSizes sizes_;
  std::uint64_t before_normal_, after_normal_;
};

}  // namespace lazyvol::publish
