// Which extents cover a range of a published file. docs/format.md, "File maps".
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "catalog/entry.h"
#include "catalog/file_map.h"
#include "fetch/frame_store.h"
#include "lazyvol/error.h"
#include "lazyvol/request.h"

namespace lazyvol::fetch {

/// A stretch of a file, cut to the range that was asked for.
struct FileExtent {
  enum class Kind : std::uint8_t {
    hole,     ///< reads as zeros
    inlined,  ///< bytes of the entry
    piece,    ///< bytes of a frame
  };
  Kind kind = Kind::hole;
  std::uint64_t begin = 0, length = 0;  ///< in the file
  catalog::FrameRef frame;              ///< for piece
  std::uint32_t offset = 0;             ///< in the decompressed frame, or the inline bytes
  bool operator==(const FileExtent&) const = default;
};

/// More extents than this in one range: nobody wrote such a file in earnest.
inline constexpr std::size_t kMaxExtents = 65'536;

/// The way through a file's maps, one map at a time. Pure: the caller brings each map.
///
///   ExtentWalk walk(content, size, begin, end);
///   while (walk.needs()) walk.enter(fetch(*walk.needs()));   // Errors: corrupt
///   walk.extents();
class ExtentWalk {
 public:
  /// For bytes [begin, end) of a file of `size` bytes; what lies past the end is left out.
  ExtentWalk(const catalog::Content& content, std::uint64_t size, std::uint64_t begin,
             std::uint64_t end);

  /// The map to bring next, until the next call of enter(); null when there is none.
  const catalog::FrameRef* needs() const;
  /// Takes the map that was needed. Errors: corrupt, also for a map that does not cover what the
  /// one above says, and for too many extents.
  Status enter(std::string_view map);
  /// Whether the content is one that can be. Errors: corrupt.
  const Status& status() const { return status_; }
  /// In order and without gaps, once nothing is needed.
  std::vector<FileExtent>& extents() { return extents_; }

 private:
  struct Map {
    catalog::FrameRef frame;
    std::uint64_t begin = 0, length = 0;  ///< of the file, that it covers
    std::optional<unsigned> level =
        std::nullopt;    ///< that it must have; the first one may have any
    bool is_map = true;  ///< else it is an extent that waits for those before it
    FileExtent extent{};
  };
  void add(FileExtent extent);
  void settle();

  const std::uint64_t begin_, end_;
  std::deque<Map> ahead_;  ///< in order; a map in front, or nothing
  std::vector<FileExtent> extents_;
  Status status_;
};

/// Extents of a range, maps fetched from `store` as needed. Errors: corrupt, and those of
/// FrameStore::get(). Answers inline when all maps are at hand. `store` and `content` must outlive
/// the answer.
void find_extents(FrameStore& store, const catalog::Content& content, std::uint64_t size,
                  std::uint64_t begin, std::uint64_t end, RequestContext ctx,
                  std::function<void(Result<std::vector<FileExtent>>)> done);

/// The same without asking an origin; nothing when a map is not at hand, or damaged.
std::optional<std::vector<FileExtent>> extents_at_hand(FrameStore& store,
                                                       const catalog::Content& content,
                                                       std::uint64_t size, std::uint64_t begin,
                                                       std::uint64_t end);

/// The frames of some extents, each once, in order.
std::vector<catalog::FrameRef> frames_of(const std::vector<FileExtent>& extents);

}  // namespace lazyvol::fetch
