// A git repository as the origin of a published volume.
//
// lazyvol-head and packs/… are the local catalog of the commit that the ref names; asking for the
// head brings it up to date. objects/NAME are the blobs, which come in batches when they are asked
// for.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "lazyvol/source.h"
#include "model/options.h"
#include "model/source_url.h"
#include "source/registry.h"

namespace lazyvol::git {

/// Owns the threads "lv-git-head-0" (looks for commits and compiles them), "lv-git-blob" (fetches
/// blobs), "lv-git-read-i" (reads them) and, for LFS, "lv-git-lfs" (asks where objects are).
/// Thread-safe.
class GitOrigin : public Source {
 public:
  /// `directory`: where mirrors live (CACHE/git); this one has its own below it, named by what is
  /// mounted and how. Only one GitOrigin may use it at a time. Waits for the server when it is new.
  /// Errors: Access's, Mirror's.
  static Result<std::shared_ptr<GitOrigin>> open(const model::SourceUrl& url,
                                                 const model::MountOptions& options,
                                                 const std::filesystem::path& directory,
                                                 source::SourceEnvironment environment);

  /// Where the mirror of these lies below `directory`. Pure.
  static std::string mirror_name(const model::SourceUrl& url, const model::MountOptions& options);
  /// Names the volume in the index: another mirror, also one that was lost and made again, has
  /// another, for its ids and its key are others.
  virtual std::string volume_name() const = 0;
};

}  // namespace lazyvol::git
