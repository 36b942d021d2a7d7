// A revision becomes the present one: its number, its document, the head and the tags.
//
// revisions/N is written once and never replaced, so that of two publishers at work each has a
// number of its own; the head decides whose revision counts. Numbers that lost, or that a killed
// publisher left, are removed by the next one that wins.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catalog/head.h"
#include "catalog/signing_key.h"
#include "lazyvol/error.h"
#include "publish/store.h"
#include "publish/volume_reader.h"

namespace lazyvol::publish {

/// Makes `head` the present one, after `before`. Chooses its sequence number, and sets its parent.
/// Errors: busy (somebody replaced the head meanwhile); those of the store.
Result<StoredHead> publish_head(Store& store, const std::optional<StoredHead>& before,
                                catalog::Head head, const catalog::SecretKey* key);

/// Makes tags/NAME copies of `document`. Returns how many were not. Errors: invalid_argument (a
/// name), those of the store.
Result<std::uint64_t> put_tags(Store& store, const std::vector<std::string>& tags,
                               const std::string& document);

}  // namespace lazyvol::publish
