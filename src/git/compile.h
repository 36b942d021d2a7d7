// A commit's tree made into the next revision of the local catalog.
//
// Ids: a directory keeps its own for as long as its name is one; a file or link that is what it was
// (object, mode, target) keeps its own and its mtime; all else is new, so that the kernel never
// mixes pages of two versions. mtime of what is new: the commit's date, so `make` sees what
// changed. A directory's mtime is that of the last commit that changed its list of names.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "catalog/catalog_build.h"
#include "catalog/head.h"
#include "git/lfs_pointer.h"
#include "git/local_volume.h"
#include "git/object_info.h"
#include "git/snapshot.h"
#include "lazyvol/error.h"

namespace lazyvol::git {

/// Pointers by the names of the objects that hold them.
using LfsPointers = std::map<std::string, LfsPointer, std::less<>>;

struct CompileInput {
  const Snapshot& snapshot;
  std::string commit;          ///< id, for the xattr of the root
  std::int64_t commit_ns = 0;  ///< its date
  std::int64_t now_ns = 0;
  /// The pages of the catalog before cannot be read: only its identity goes on.
  bool anew = false;
  /// Targets of links by object name; those that are missing make no entry.
  const std::map<std::string, std::string>& targets;
  /// Asked once, for the objects whose size the catalog before does not tell. Those that it does
  /// not know either get catalog::kUnknownSize.
  std::function<Result<Sizes>(std::uint16_t remote, const std::vector<std::string>& ids)> sizes;

  /// Files that may be LFS pointers; for none the rest is not needed.
  std::vector<Snapshot::Number> lfs_files{};
  /// Sizes of blobs that need not be asked for, by object name.
  Sizes here{};
  /// Asked once, for the objects of lfs_files that are small enough or of unknown size.
  std::function<Result<LfsPointers>(const std::vector<std::string>& names)> pointers{};
};

struct Compiled {
  catalog::Head head;  ///< not yet committed
  std::uint64_t entries = 0, changed = 0, unknown_sizes = 0;
  std::uint64_t lfs_files = 0;
  std::uint64_t left_out = 0;  ///< links without a target that can be shown
};

/// `before`: the head that stands, if any. Writes pages to `volume`; the caller commits the head.
/// Errors: those of `volume` and of `sizes`; corrupt (the catalog before).
Result<Compiled> compile(const CompileInput& input, const std::optional<StoredHead>& before,
                         LocalVolume& volume);

}  // namespace lazyvol::git
