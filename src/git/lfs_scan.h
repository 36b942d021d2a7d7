// What a commit keeps in git-lfs: the files that .gitattributes give "filter=lfs", and the pointers
// among them.
//
// git says which files these are (`git check-attr`, gitattributes(5)), from an index that holds the
// commit's .gitattributes alone; so what is on this machine or of this user has no say.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "git/blob_fetcher.h"
#include "git/blob_reader.h"
#include "git/compile.h"
#include "git/lfs_pointer.h"
#include "git/process.h"
#include "git/snapshot.h"
#include "lazyvol/error.h"

namespace lazyvol::git {

/// Pointers of one commit, and its .gitattributes; more are refused.
inline constexpr std::size_t kMaxLfsFiles = 200'000, kMaxAttributeFiles = 20'000;
/// A longer .gitattributes is left out.
inline constexpr std::size_t kMaxAttributes = 1 << 20;

/// The nodes of a snapshot that a commit's own tree made: `begin` … `end` - 1, below `base`.
struct TreeRange {
  Snapshot::Number base = 0, begin = 0, end = 0;
};

/// Calls block. Thread rule: one thread.
class LfsScan {
 public:
  struct Tools {
    BlobFetcher& fetcher;
    BlobReader& reader;
    const Patience& patience;
    std::filesystem::path index;  ///< made and removed
    /// "git WORDS" with all objects that are here, and no network.
    std::function<Command(const std::vector<std::string>& words)> git;
  };
  LfsScan(const Snapshot& snapshot, const std::vector<TreeRange>& trees, Tools tools)
      : snapshot_(snapshot), trees_(trees), tools_(std::move(tools)) {}

  /// Fetches .gitattributes and .lfsconfig and evaluates them. Errors: those of the fetcher, the
  /// reader and git; too_large.
  Status run();

  /// Files with filter=lfs, in order.
  const std::vector<Snapshot::Number>& files() const { return files_; }
  /// lfs.url by the number of the remote.
  const std::map<std::uint16_t, std::string>& urls() const { return urls_; }
  /// The sizes of those of files() whose blobs are here, by object name.
  Result<Sizes> sizes_here() const;
  /// Fetches what is missing of these objects. Those that are pointers, by object name. Errors: as
  /// run().
  Result<LfsPointers> pointers(const std::vector<std::string>& names) const;

 private:
  std::string name_of(Snapshot::Number number) const;
  bool is_file(Snapshot::Number number) const;
  Status read_config(Snapshot::Number lfsconfig);
  Result<bool> mentions_lfs(const std::vector<Snapshot::Number>& attributes) const;
  Status check(const TreeRange& tree, const std::vector<Snapshot::Number>& attributes);
  Status ask(const TreeRange& tree, const std::vector<Snapshot::Number>& numbers);
  Command with_index(std::vector<std::string> words) const;

  const Snapshot& snapshot_;
  const std::vector<TreeRange>& trees_;
  const Tools tools_;
  std::vector<Snapshot::Number> files_;
  std::map<std::uint16_t, std::string> urls_;
};

}  // namespace lazyvol::git
