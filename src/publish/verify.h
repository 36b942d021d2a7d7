// Proving that a volume is whole: everything that a revision reaches is there and is what it claims
// to be.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "catalog/signing_key.h"
#include "lazyvol/error.h"
#include "publish/store.h"

namespace lazyvol::publish {

struct VerifyOptions {
  std::string revision = {};  ///< as head_path() takes it: nothing is the present one
  bool all = false;           ///< all that are kept instead, and all tags
  bool fast = false;          ///< no data: heads, pages, file maps, and the indexes of packs
  std::optional<catalog::PublicKey> key = {};  ///< heads must be signed by it
  unsigned threads = 0;                        ///< 0: as many as there are cores
  std::int64_t now_ns = 0;                     ///< since 1970, for expiry; 0: not looked at
};

/// What is wrong, and what readers lose by it.
struct Damage {
  std::string what;
  std::vector<std::string> harmed;  ///< paths, or ranges of them; at most kMaxHarmed
  std::uint64_t harmed_total = 0;
};
inline constexpr std::size_t kMaxHarmed = 20;
inline constexpr std::size_t kMaxDamage = 1000;

struct VerifyReport {
  std::vector<std::string> heads;  ///< that were looked at: their paths
  std::uint64_t pages = 0, entries = 0, file_maps = 0;
  std::uint64_t packs = 0, frames = 0, bytes = 0;  ///< that were read whole
  std::vector<Damage> damage;                      ///< at most kMaxDamage
  std::uint64_t damage_total = 0;
};

struct VerifyProgress {
  enum class Phase : std::uint8_t { metadata, data, harm } phase = Phase::metadata;
  std::uint64_t pages = 0;
  std::uint64_t bytes_done = 0, bytes_found = 0;  ///< of packs
};

/// Checks of each head its signature; of its two trees every page, that both agree, that entries
/// lie in directories that are there and links have their files; every file map; that each
/// reference is to a frame which the pack's index has. Then, once each, the packs that were
/// reached: every frame, the index, the name. What several revisions share is read once. Memory:
/// about 100 bytes for each page and each pack, 80 MB of indexes, and 8 MiB to 24 MiB for each
/// thread. `progress` is called from several threads, one at a time. Errors: not_found and corrupt
/// (no head to begin with), invalid_argument (the name of a revision), unreachable, timed_out,
/// access_denied, …: what came between; cancelled. Damage is no error.
Result<VerifyReport> verify(Store& store, const VerifyOptions& options,
                            const std::function<void(const VerifyProgress&)>& progress,
                            std::stop_token stop);

}  // namespace lazyvol::publish
