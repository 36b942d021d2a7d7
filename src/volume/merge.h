// What becomes of known entries when the source describes them again: pure functions, and the one
// place that decides whether a node keeps its id.
//
// A node keeps its id while its name, its type and its version stay. The version of a file is its
// validator, of a symlink its target; a directory has none. Where the listing shows no validator,
// its token (the row of the listing) says whether what stat() told before still holds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cache/tree_store.h"
#include "lazyvol/entry.h"

namespace lazyvol::volume {

/// StoredEntry::stat_wall_ns of an entry whose listing row changed since stat() described it: what
/// is stored is the last known version, to be asked for again before it is shown. (A time so long
/// ago that no TTL covers it.)
inline constexpr std::int64_t kStatInDoubt = 1;

struct MergedEntry {
  cache::StoredEntry entry;         ///< id 0: it is another node now and needs a new id
  bool attributes_changed = false;  ///< same node, but stat(2) may show something else
};

/// `old` as the listing's row `row` describes it now.
MergedEntry merge_row(const cache::StoredEntry& old, RemoteEntry row);

/// `old` as stat() describes it now. `asked_wall_ns`: when it was asked; `token_then`: old's token
/// at that moment (a listing that came in between makes the answer doubtful).
MergedEntry merge_stat(const cache::StoredEntry& old, RemoteEntry answer,
                       std::int64_t asked_wall_ns, const std::string& token_then);

struct MergedListing {
  std::vector<cache::StoredEntry> entries;  ///< in byte order of names; id 0 = needs a new one
  std::uint64_t new_ids = 0;                ///< how many do
  std::vector<std::string> changed_names;   ///< appeared, vanished, or name another node now
  std::vector<NodeId> changed_nodes;        ///< same node, other attributes
  std::vector<NodeId> gone_directories;     ///< ids of directories that are no longer here
  std::uint64_t refused = 0;                ///< rows with invalid or repeated names or absurd
                                            ///< texts, left out
  bool same = false;                        ///< nothing differs from `old`, byte for byte
};

/// `old` is in byte order of names (empty for a first listing); `rows` in any order. Unlisted
/// entries of `old` stay while the listing `hides_dot_names`.
MergedListing merge_listing(const std::vector<cache::StoredEntry>& old,
                            std::vector<RemoteEntry> rows, bool hides_dot_names = false);

}  // namespace lazyvol::volume
