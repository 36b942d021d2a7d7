// The revisions of a volume, for people.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "catalog/head.h"
#include "lazyvol/error.h"
#include "publish/store.h"

namespace lazyvol::publish {

struct Revision {
  std::uint64_t sequence = 0;
  std::optional<catalog::HeadDocument> document;  ///< nothing: it cannot be read
  std::string damage;                             ///< why not
  std::vector<std::string> tags;
  bool present = false;  ///< the head
  bool kept = false;     ///< there is a revisions/N of it
  /// Bytes of the packs that this revision needs, and no older one that is still there.
  std::optional<std::uint64_t> new_bytes;
};

/// All revisions that are kept or tagged, and the head; the newest first. With `sizes` new_bytes is
/// found out, which reads each page of the catalogs once. Thread rule: pure but for the store.
/// Errors: those of the head and of the store; cancelled.
Result<std::vector<Revision>> list_revisions(Store& store, bool sizes, std::stop_token stop);

}  // namespace lazyvol::publish
