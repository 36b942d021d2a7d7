// Clearing up a volume: old revisions, and the packs that none of those kept reaches.
//
// Safe beside publishers and readers, by two rules that need no word between them:
//  * A publisher refers to packs that the head reaches which it builds upon, and to packs that it
//    wrote itself, not longer than State::kTrustUnreachedNs before it began. The former stay for
//    the grace period after that head was superseded, the latter for the grace period after they
//    were written. So grace must be 12 hours longer than a publish takes.
//  * Nobody can replace the head while something is being removed (Store::lock()).
// Killed at any point, nothing dangles: revisions go before the packs that only they reach.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "catalog/digest.h"
#include "lazyvol/error.h"
#include "publish/store.h"

namespace lazyvol::publish {

struct GcOptions {
  std::uint64_t keep = 10;  ///< the last revisions, the present one among them; at least 1
  std::chrono::seconds grace{24 * 3600};
  bool dry_run = false;
  unsigned threads = 0;  ///< 0: as many as there are cores
};

struct GcPack {
  enum class Fate : std::uint8_t {
    live,    ///< something kept reaches it
    young,   ///< nothing does, but it may be part of a revision to come
    removed  ///< or would be, in a dry run
  } fate = Fate::live;
  catalog::Digest pack;
  std::uint64_t bytes = 0;       ///< of the pack
  std::uint64_t live_bytes = 0;  ///< of the frames in it that something kept reaches
};

struct GcReport {
  std::vector<std::uint64_t> revisions_kept, revisions_removed;  ///< rising
  std::vector<std::string> tags;
  std::vector<GcPack> packs;  ///< all that the volume holds, by name
  std::uint64_t removed_packs = 0, removed_bytes = 0;
};

/// Kept are: the head, the last `keep` revisions, all tags, and every revision that was superseded
/// less than `grace` before `now_ns` (nanoseconds since 1970, by the clock that the store's times
/// are of). Packs that none of them reaches go when they were written longer than `grace` ago;
/// packs of which only a part is alive stay whole.
/// `marked` is told of the heads as they are walked: how many are, of how many.
/// Errors: busy (somebody else holds the volume), those of reading anything that is kept: then
/// nothing is removed, since what cannot be read may need any pack; unsupported (a store that
/// cannot list); read_only; cancelled.
Result<GcReport> collect_garbage(Store& store, const GcOptions& options, std::int64_t now_ns,
                                 const std::function<void(std::size_t, std::size_t)>& marked,
                                 std::stop_token stop);

}  // namespace lazyvol::publish
