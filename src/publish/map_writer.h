// File maps of many files at once, so that they share packs: catalog::write_file_maps() closes a
// pack for each file.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

#include "catalog/file_map.h"
#include "lazyvol/error.h"
#include "publish/contents.h"
#include "publish/frame_places.h"
#include "publish/page_packs.h"
#include "publish/state.h"

namespace lazyvol::publish {

/// The map of each content that needs one, by its number in Contents::files.
using WrittenMaps = std::unordered_map<std::uint32_t, catalog::FrameRef>;

/// More than catalog::kMaxPieces pieces, or a hole.
bool needs_map(const FileContent& content);

/// Writes the maps of `files` (numbers of contents that need one), the same as write_file_maps()
/// would; tells `state` which packs each leads to. All frames must have their places. Errors: those
/// of `packs` and `state`.
Result<WrittenMaps> write_maps(const Contents& contents, std::span<const std::uint32_t> files,
                               const FramePlaces& places, PagePacks& packs, State& state);

}  // namespace lazyvol::publish
