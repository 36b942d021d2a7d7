// The pack that a start reads first: copies of the frames of some files, in the order they are
// wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "catalog/catalog_build.h"
#include "catalog/head.h"
#include "catalog/page_store.h"
#include "lazyvol/error.h"
#include "model/profile.h"
#include "publish/progress.h"
#include "publish/store.h"

namespace lazyvol::publish {

/// No hot pack holds more frames than fit into this: one range request fetches it.
inline constexpr std::uint64_t kHotPackBytes = 64U << 20;

struct WrittenHotPack {
  std::optional<catalog::HotPack> pack;  ///< nothing: no path leads to a file with frames
  bool is_new = false;                   ///< it was not among `known`, and was written
  std::vector<std::string> unknown;      ///< paths that name nothing in the catalog
};

/// Makes a pack of the frames (and file maps) that `profile` needs in the catalog of `roots`, as
/// many as fit, each once, and writes it unless it is among `known`. Paths that lead to no file
/// with frames are passed over. Symbolic links are not followed. Errors: those of the store;
/// corrupt; cancelled.
Result<WrittenHotPack> write_hot_pack(Store& store, catalog::PageReader& reader,
                                      const catalog::Roots& roots, const model::Profile& profile,
                                      std::span<const catalog::HotPack> known, Progress& progress);

}  // namespace lazyvol::publish
