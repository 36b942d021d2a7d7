// All pages of a tree below its root.
#pragma once

#include <functional>

#include "catalog/catalog_read.h"
#include "catalog/page_store.h"
#include "lazyvol/error.h"

namespace lazyvol::publish {

/// Calls `visit` with the place of each page but the root. Leaves are read only if `read_leaves`:
/// for a reader that remembers them. Errors: those of the reader; corrupt.
Status for_each_page(catalog::PageReader& reader, const std::string& root, bool read_leaves,
                     const std::function<void(const catalog::FrameRef&)>& visit);

}  // namespace lazyvol::publish
