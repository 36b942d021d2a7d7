// What of a publisher's state still holds for a volume as it is now.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "catalog/digest.h"
#include "catalog/head.h"
#include "lazyvol/error.h"
#include "publish/state.h"
#include "publish/store.h"

namespace lazyvol::publish {

/// Forgets the rows of the state unless the head of the volume (nothing: it has none) is the one
/// that they were written for or descends from it, as revisions/N tell: somebody may have published
/// from another machine, and a volume may have been put back from a backup. Errors: those of store
/// and state.
Status check_rows(Store& store, State& state, const std::optional<catalog::HeadDocument>& head);

using PackSizes = std::unordered_map<catalog::Digest, std::uint64_t, catalog::DigestHash>;
/// The packs that are in the store. Errors: those of the store.
Result<PackSizes> list_packs(Store& store);

}  // namespace lazyvol::publish
