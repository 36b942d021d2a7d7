// A file map: where the bytes of a long file are. docs/format.md, "File maps".
//
// A frame of its own, so that one huge file cannot bloat a leaf. Maps of very many pieces are
// split, and a map of maps says which covers what: a random reader of a huge file fetches two small
// ones.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/column.h"
#include "catalog/entry.h"
#include "catalog/frame_table.h"
#include "catalog/page_store.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

/// Rows of one map. A map of maps of maps then covers 10^9 pieces.
inline constexpr std::size_t kMaxMapRows = 1024;
inline constexpr unsigned kMaxMapLevel = 4;

/// A stretch of a file.
struct Extent {
  enum class Kind : std::uint8_t {
    hole,   ///< reads as zeros
    piece,  ///< bytes of a frame
    map,    ///< another map says; `frame` is that map
  };
  Kind kind = Kind::hole;
  std::uint64_t length = 0;  ///< bytes of the file, more than 0
  FrameRef frame;            ///< for piece and map
  std::uint32_t offset = 0;  ///< in the decompressed frame, for piece
  bool operator==(const Extent&) const = default;
};

/// A view of a map, whose bytes must outlive it. Safe on any bytes; thread rule: immutable.
class FileMap {
 public:
  /// Errors: corrupt.
  static Result<FileMap> open(std::string_view map);
  /// Everything an encoder guarantees. Errors: corrupt.
  Status validate() const;

  unsigned level() const { return level_; }
  std::size_t rows() const { return kinds_.size(); }
  /// Bytes of the file that the map covers.
  std::uint64_t size() const { return size_; }

  struct Found {
    std::size_t row = 0;
    std::uint64_t begin = 0;  ///< where the extent begins, counted from the map's first byte
    Extent extent;
  };
  /// The extent that holds byte `position` < size(), counted from the map's first byte.
  /// Errors: corrupt; invalid_argument past the end.
  Result<Found> find(std::uint64_t position) const;
  /// Extent `row` < rows(). Errors: corrupt.
  Result<Extent> extent(std::size_t row) const;

 private:
  unsigned level_ = 0;
  std::uint64_t size_ = 0;
  Column begins_, kinds_, lengths_, frame_numbers_, offsets_;
  FrameTable frames_;
};

/// A map of `extents` (1 … kMaxMapRows of them). Level 0 has holes and pieces, the others holes and
/// maps of the level below. Errors: invalid_argument.
Result<std::string> encode_file_map(unsigned level, std::span<const Extent> extents);

/// Cuts a file's extents (level 0) into maps, level by level and by counting. The answer is the map
/// to name in the entry. Errors: those of encode_file_map() and of `writer`.
Result<FrameRef> write_file_maps(PageWriter& writer, std::vector<Extent> extents);

}  // namespace lazyvol::catalog
