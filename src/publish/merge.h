// The new catalog: the tree that was scanned, and what is kept of the old one.
#pragma once

#include <cstdint>

#include "catalog/catalog_build.h"
#include "catalog/head.h"
#include "catalog/page_store.h"
#include "lazyvol/error.h"
#include "publish/contents.h"
#include "publish/frame_places.h"
#include "publish/map_writer.h"
#include "publish/match.h"
#include "publish/old_tree.h"
#include "publish/page_packs.h"
#include "publish/publish_limits.h"
#include "publish/tree.h"

namespace lazyvol::publish {

/// What a catalog is made of. All nodes have their ids, all frames their places.
struct MergeInput {
  const Tree& tree;
  const Match& match;
  const Contents& contents;
  const FramePlaces& places;
  const WrittenMaps& maps;
  const catalog::Roots& old_roots;
  const catalog::Chunking& chunking;
};

struct Merged {
  catalog::Roots roots;
  catalog::Statistics statistics;  ///< but for the stored bytes
  std::uint64_t entries = 0;
  std::uint64_t changed = 0;  ///< entries that are new, other or gone
  PackSet packs;              ///< that the contents need
};

/// Edits the old catalog, or, when more than Limits::edits change, builds it anew from the merged
/// entries; the result is the same. Errors: those of reader and writer; corrupt; invalid_argument.
Result<Merged> make_catalog(const MergeInput& input, catalog::PageReader& reader, PagePacks& writer,
                            State& state, const Limits& limits);

}  // namespace lazyvol::publish
