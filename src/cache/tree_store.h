// Names and attributes of live volumes, kept in the index: a listing is the unit of storage.
//
// Keys and packing: docs/cache.md. A directory is a header record and chunks of about 16 KiB of
// sorted entries, each under the first name it holds, so a name is found with one seek.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/index.h"
#include "lazyvol/entry.h"
#include "lazyvol/error.h"

namespace lazyvol::cache {

using VolumeId = std::uint32_t;

/// An entry as stored: what the source said, its id, and when stat() was last asked.
struct StoredEntry {
  RemoteEntry remote;
  NodeId id = 0;
  std::int64_t stat_wall_ns = 0;  ///< 0 = only the listing was ever seen
  bool operator==(const StoredEntry&) const = default;
};

struct DirectoryHeader {
  std::int64_t listed_wall_ns = 0;  ///< when the listing was last known to be true
  std::string validator;            ///< for a conditional list()
  std::uint64_t entries = 0;
  std::uint64_t refused = 0;     ///< names left out as invalid
  bool hides_dot_names = false;  ///< as Listing::hides_dot_names
  bool operator==(const DirectoryHeader&) const = default;
};

struct NodePlace {
  NodeId parent = 0;
  std::string name;
};

/// Thread-safe, except that writes to one directory must not run concurrently (the volume layer has
/// single flight per directory). Bytes read back are untrusted: decoding has limits, and what is
/// damaged gives Code::corrupt; replacing the directory mends it. Other errors: those of Index.
class TreeStore {
 public:
  /// `index` must outlive the store. One store per index: it hands out the ids.
  explicit TreeStore(Index& index);
  ~TreeStore();

  /// The id of the volume of that name (not empty), made on first use.
  Result<VolumeId> open_volume(std::string_view name);
  /// Reserves `count` node ids that were never used in this volume; answers with the first. When
  /// the index cannot be written the ids come from a range that no other process life ever uses, so
  /// a full or failing disk stops nobody. Errors: invalid_argument for a volume that was not
  /// opened.
  Result<NodeId> allocate_nodes(VolumeId volume, std::uint64_t count);

  Result<std::optional<DirectoryHeader>> header(VolumeId volume, NodeId directory) const;
  /// All entries in byte order of names; empty when the directory was never listed.
  Result<std::vector<StoredEntry>> entries(VolumeId volume, NodeId directory) const;
  Result<std::optional<StoredEntry>> find(VolumeId volume, NodeId directory,
                                          std::string_view name) const;
  Result<std::optional<NodePlace>> place(VolumeId volume, NodeId id) const;

  /// Replaces a directory whole (header, chunks, reverse map), visible at once. `sorted` is in byte
  /// order of unique names. Writes what differs from what is stored, no more. Ids no longer used
  /// lose their place, and directories among them are forgotten with all below them. Errors:
  /// invalid_argument (order, a name or an id that cannot be), too_large (a validator or token over
  /// 4096 bytes): nothing was written.
  Status replace(VolumeId volume, NodeId directory, const DirectoryHeader& header,
                 const std::vector<StoredEntry>& sorted);
  /// Rewrites the header alone (a listing was revalidated).
  Status update_header(VolumeId volume, NodeId directory, const DirectoryHeader& header);
  /// Rewrites one existing entry, its id included. Errors: not_found, and those of replace().
  Status update_entry(VolumeId volume, NodeId directory, const StoredEntry& entry);
  /// Forgets a directory's listing and, below it, everything known. Its own place is its parent's.
  Status forget(VolumeId volume, NodeId directory);

 private:
  struct Ids;
  Status forget_listing(VolumeId volume, NodeId directory);

  Index& index_;
  std::unique_ptr<Ids> ids_;
};

}  // namespace lazyvol::cache
