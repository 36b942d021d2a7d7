// All of a file map, through the levels of maps of maps.
#pragma once

#include <functional>

#include "catalog/file_map.h"
#include "catalog/page_store.h"
#include "lazyvol/error.h"

namespace lazyvol::publish {

/// Calls `visit` with each extent of the file in order (holes and pieces), and `map_read` with each
/// map. Errors: those of the reader and of `visit`; corrupt.
Status for_each_extent(catalog::PageReader& reader, const catalog::FrameRef& map,
                       const std::function<Status(const catalog::Extent&)>& visit,
                       const std::function<void(const catalog::FrameRef&)>& map_read);

}  // namespace lazyvol::publish
