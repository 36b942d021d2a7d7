// The heads that a volume has: the present one, those of older revisions, tags.
//
// Thread rule: pure but for the store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lazyvol/error.h"
#include "publish/store.h"
#include "publish/volume_reader.h"

namespace lazyvol::publish {

/// A head's place.
struct HeadFile {
  std::string path;
  std::uint64_t sequence = 0;  ///< of revisions/N: N; else 0
  std::string tag;             ///< of tags/NAME: NAME
  std::int64_t mtime_ns = 0;
};

struct KeptHeads {
  std::vector<HeadFile> revisions;  ///< by rising number
  std::vector<HeadFile> tags;       ///< by name
};

/// What is called revisions/N or tags/NAME; nothing is read. Where a store cannot list (HTTP), the
/// revisions are sought downwards from `newest` until one is missing, at most 1000, and tags stay
/// unknown. Errors: those of the store.
Result<KeptHeads> list_kept_heads(Store& store, std::uint64_t newest);

/// The head at `path`, with errors that name it. Errors: not_found when there is none; corrupt, ….
Result<StoredHead> need_head(Store& store, const std::string& path);

}  // namespace lazyvol::publish
