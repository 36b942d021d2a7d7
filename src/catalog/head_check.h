// Whether a head may be used: who signed it, is it newer than what was seen, is it still good.
//
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <optional>

#include "catalog/head.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

/// What a node remembers of the last head that it used.
struct SeenHead {
  VolumeUuid volume{};
  std::uint64_t sequence = 0;
  Digest digest;
  std::optional<PublicKey> signer;
  bool operator==(const SeenHead&) const = default;
};
SeenHead seen(const HeadDocument& document);

/// `required` is the key that the user named; without it the key of `before` is held on to, so the
/// first head that is seen decides. A volume that was signed once is not accepted unsigned.
/// Errors: access_denied, with a line that names both keys.
Status check_signer(const HeadDocument& document, const std::optional<PublicKey>& required,
                    const std::optional<SeenHead>& before);

/// Refuses another volume, an older revision (rollback) and another revision of the same number
/// (two publishers, or a publisher that tells two stories). Errors: stale.
Status check_succession(const HeadDocument& document, const std::optional<SeenHead>& before);

/// Refuses what has expired (freeze) at `now_ns`, in nanoseconds since 1970. Errors: stale.
Status check_expiry(const Head& head, std::int64_t now_ns);

}  // namespace lazyvol::catalog
