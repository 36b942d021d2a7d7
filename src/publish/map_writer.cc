#include "publish/map_writer.h"

#include <algorithm>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

namespace lazyvol::publish {
namespace {

using catalog::Extent;

// The maps of one level of one file: what each covers, and where it is once the level is sealed.
struct Level {
  std::uint32_t file = 0;
  std::vector<Extent> maps;
};

std::vector<Extent> extents_of(const Contents& contents, const FileContent& file,
                               const FramePlaces& places) {
  std::vector<Extent> extents;
  for (const FilePiece& piece : contents.pieces_of(file)) {
    Extent extent;
    extent.length = piece.length;
    if (piece.frame != FilePiece::kHole) {
      extent.kind = Extent::Kind::piece;
      extent.frame = places.at(piece.frame);
      extent.offset = piece.offset;
    }
    extents.push_back(extent);
  }
  return extents;
}

Result<Level> cut(std::uint32_t file, unsigned level, std::span<const Extent> extents,
                  PagePacks& packs) {
  Level result{file, {}};
  while (!extents.empty()) {
    const auto part = extents.first(std::min(catalog::kMaxMapRows, extents.size()));
    extents = extents.subspan(part.size());
    LAZYVOL_TRY_ASSIGN(std::string map, catalog::encode_file_map(level, part));
    LAZYVOL_TRY(packs.write(std::move(map)));
    Extent whole;
    whole.kind = Extent::Kind::map;
    for (const Extent& extent : part) whole.length += extent.length;
    result.maps.push_back(whole);
  }
  return result;
}

Status seal(std::vector<Level>& levels, PagePacks& packs) {
  LAZYVOL_TRY_ASSIGN(const auto frames, packs.seal());
  std::size_t next = 0;
  for (Level& level : levels) {
    for (Extent& map : level.maps) map.frame = frames[next++];
  }
  return {};
}

}  // namespace

bool needs_map(const FileContent& content) {
  return !content.is_inline && (content.has_holes || content.count > catalog::kMaxPieces);
}

Result<WrittenMaps> write_maps(const Contents& contents, std::span<const std::uint32_t> files,
                               const FramePlaces& places, PagePacks& packs, State& state) {
  std::unordered_map<std::uint32_t, std::unordered_set<catalog::Digest, catalog::DigestHash>>
      reached;
  std::vector<Level> levels;
  for (const std::uint32_t file : files) {
    const std::vector<Extent> extents = extents_of(contents, contents.files[file], places);
    for (const Extent& extent : extents) {
      if (extent.kind == Extent::Kind::piece) reached[file].insert(extent.frame.pack);
    }
    LAZYVOL_TRY_ASSIGN(Level level, cut(file, 0, extents, packs));
    levels.push_back(std::move(level));
  }
  WrittenMaps written;
  for (unsigned level = 1; !levels.empty(); ++level) {
    LAZYVOL_TRY(seal(levels, packs));
    std::vector<Level> above;
    for (Level& below : levels) {
      for (const Extent& map : below.maps) reached[below.file].insert(map.frame.pack);
      if (below.maps.size() == 1) {
        written.emplace(below.file, below.maps[0].frame);
      } else {
        LAZYVOL_TRY_ASSIGN(Level next, cut(below.file, level, below.maps, packs));
        above.push_back(std::move(next));
      }
    }
    levels = std::move(above);
  }
  for (const auto& [file, map] : written) {
    std::vector<catalog::Digest> list(reached[file].begin(), reached[file].end());
    std::sort(list.begin(), list.end());
    LAZYVOL_TRY(state.put_packs_of_map(map.hash, list));
  }
  return written;
}

}  // namespace lazyvol::publish
