// A bare repository of ours, into which git fetches parts of another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "git/access.h"
#include "git/process.h"
#include "lazyvol/error.h"

namespace lazyvol::git {

/// What a ref points at, on the server.
struct RemoteRef {
  std::string name;  ///< HEAD, refs/…; for a commit that was asked for by its id, that id
  std::string id;    ///< of the commit or of an annotated tag
  bool operator==(const RemoteRef&) const = default;
};

struct Commit {
  std::string id;
  std::int64_t date_s = 0;  ///< the committer's, seconds since 1970
};

/// Rows of `git ls-remote` for what a user calls `ref`: a full name, a branch, a tag, HEAD for
/// nothing. nullopt: none of them. Pure.
std::optional<RemoteRef> find_remote_ref(std::string_view rows, const std::string& ref);

/// Makes a repository at `directory` that is empty and knows no remote: in one that does, git would
/// fetch whatever it misses while it reads.
Status make_local_repository(const std::filesystem::path& directory,
                             const std::string& object_format);

/// Calls block. Thread rule: one thread; only one process uses the directory.
class Repository {
 public:
  /// Makes it, or takes the one that is there, without the locks and halves that a process which
  /// was killed left. `object_format`: sha1 or sha256.
  static Result<std::unique_ptr<Repository>> open(std::filesystem::path directory,
                                                  std::shared_ptr<Access> access,
                                                  const std::string& object_format);

  const std::filesystem::path& directory() const { return directory_; }
  std::filesystem::path objects() const { return directory_ / "objects"; }

  /// Sets the URL of remote `number`; 0 is SOURCE. Errors: those of writing the configuration.
  Status set_remote(std::uint16_t number, const std::string& url);

  /// Asks the server, unless `ref` is the id of a commit. Errors: git_error()'s; not_found.
  Result<RemoteRef> look(const std::string& ref, const Patience& patience);
  /// Brings the commit of `ref` (a full name or an id) and its trees, without blobs if the server
  /// can leave them out; it is kept until the next one of that remote. Errors: as above;
  /// invalid_argument when the ref is no commit's.
  Result<Commit> fetch_commit(std::uint16_t remote, const std::string& ref,
                              const Patience& patience);
  /// Brings blobs. Errors: as above; not_found when the server lacks one of them, and then none
  /// comes.
  Status fetch_blobs(std::uint16_t remote, std::span<const std::string> ids,
                     const Patience& patience);

  struct Packs {
    std::size_t count = 0;
    std::uint64_t bytes = 0;
    std::uint64_t small_bytes = 0;  ///< of those that are worth joining
  };
  Packs packs() const;
  /// The server sends blobs whatever is asked for, so they are here.
  bool is_unfiltered() const { return unfiltered_; }
  /// Deletes packs, the oldest first, until at most `bytes` are left.
  void trim(std::uint64_t bytes);
  /// Joins the older half of the small packs. Errors: those of git.
  Status consolidate(const Patience& patience);

 private:
  Repository(std::filesystem::path directory, std::shared_ptr<Access> access);
  Status write_config() const;
  Result<Finished> git(const std::vector<std::string>& arguments, std::string_view input,
                       Patience patience, std::string_view what);
  void tell_unfiltered(const std::string& errors);

  const std::filesystem::path directory_;
  const std::shared_ptr<Access> access_;
  std::string object_format_;
  std::vector<std::string> urls_;  ///< of remotes, by number
  bool unfiltered_ = false;
};

}  // namespace lazyvol::git
