#include "publish/map_reader.h"

namespace lazyvol::publish {
namespace {

Status walk(catalog::PageReader& reader, const catalog::FrameRef& frame, unsigned level,
            const std::function<Status(const catalog::Extent&)>& visit,
            const std::function<void(const catalog::FrameRef&)>& map_read) {
  map_read(frame);
  LAZYVOL_TRY_ASSIGN(const auto bytes, reader.read(frame));
  LAZYVOL_TRY_ASSIGN(const catalog::FileMap map, catalog::FileMap::open(*bytes));
  // Each level down is one less, so that damage cannot lead in circles.
  if (map.level() >= level) return Error{Code::corrupt, "a file map below one of its own level"};
  for (std::size_t row = 0; row < map.rows(); ++row) {
    LAZYVOL_TRY_ASSIGN(const catalog::Extent extent, map.extent(row));
    if (extent.kind == catalog::Extent::Kind::map) {
      LAZYVOL_TRY(walk(reader, extent.frame, map.level(), visit, map_read));
    } else {
      LAZYVOL_TRY(visit(extent));
    }
  }
  return {};
}

}  // namespace

Status for_each_extent(catalog::PageReader& reader, const catalog::FrameRef& map,
                       const std::function<Status(const catalog::Extent&)>& visit,
                       const std::function<void(const catalog::FrameRef&)>& map_read) {
  return walk(reader, map, catalog::kMaxMapLevel + 1, visit, map_read);
}

}  // namespace lazyvol::publish
