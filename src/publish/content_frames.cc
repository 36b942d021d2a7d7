#include "publish/content_frames.h"

#include <optional>
#include <string>
#include <variant>

#include "catalog/file_map.h"
#include "publish/volume_reader.h"

namespace lazyvol::publish {
namespace {

Status check_map(const catalog::FileMap& map, std::uint64_t size, std::optional<unsigned> level) {
  if (level && map.level() != *level) {
    return Error{Code::corrupt, "a file map of another level than the one above says"};
  }
  if (map.size() != size) {
    return Error{Code::corrupt, "a file map of another size than the one above says"};
  }
  return map.validate();
}

/// `level`: what the map above says; a map has at most kMaxMapLevel levels below it, so this ends.
Status visit_map(Store& store, const catalog::FrameRef& frame, std::uint64_t size,
                 std::optional<unsigned> level, const ContentVisit& visit) {
  LAZYVOL_TRY_ASSIGN(const bool wanted, visit.map(frame));
  if (!wanted) return {};
  const auto bytes = read_frame(store, frame);
  if (!bytes.ok()) return visit.damaged_map(frame, bytes.error());
  const auto map = catalog::FileMap::open(*bytes);
  if (!map.ok()) return visit.damaged_map(frame, map.error());
  const Status checked = check_map(*map, size, level);
  if (!checked.ok()) return visit.damaged_map(frame, checked.error());
  for (std::size_t row = 0; row < map->rows(); ++row) {
    LAZYVOL_TRY_ASSIGN(const catalog::Extent extent, map->extent(row));
    if (extent.kind == catalog::Extent::Kind::piece) LAZYVOL_TRY(visit.data(extent.frame));
    if (extent.kind == catalog::Extent::Kind::map) {
      LAZYVOL_TRY(visit_map(store, extent.frame, extent.length, map->level() - 1, visit));
    }
  }
  return {};
}

}  // namespace

Status visit_content(Store& store, const catalog::Entry& entry, const ContentVisit& visit) {
  if (const auto* list = std::get_if<catalog::PieceContent>(&entry.content)) {
    for (const catalog::Piece& piece : list->pieces) LAZYVOL_TRY(visit.data(piece.frame));
  }
  if (const auto* map = std::get_if<catalog::MapContent>(&entry.content)) {
    return visit_map(store, map->map, entry.size, std::nullopt, visit);
  }
  if (std::holds_alternative<catalog::ObjectContent>(entry.content)) {
    return Error{Code::corrupt, entry.name + ": its bytes are an object, which no frame holds"};
  }
  return {};
}

}  // namespace lazyvol::publish
