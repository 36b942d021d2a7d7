// A commit kept on this machine: its trees in a repository, its catalog beside it.
//
//   repo.git/   commits and trees          blobs.git/  blobs, as far as somebody read them
//   volume/     the catalog (local_volume.h)  local.git/  an empty repository, for reading objects
//   state       which commit the head shows   key.pem     signs the head
//   remotes     URLs of submodules, one a line: the first is remote 1. Object names hold the
//   number.
//   lfs         lfs.url by remote's number, as .lfsconfig has it
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "git/access.h"
#include "git/blob_fetcher.h"
#include "git/blob_reader.h"
#include "git/compile.h"
#include "git/lfs_endpoint.h"
#include "git/lfs_scan.h"
#include "git/local_volume.h"
#include "git/repository.h"
#include "git/snapshot.h"
#include "lazyvol/error.h"

namespace lazyvol::git {

/// What the head of the catalog shows.
struct ShownCommit {
  StoredHead head;
  std::string commit;
};

/// Calls block. Thread rule: one thread at a time.
class Mirror {
 public:
  struct Settings {
    std::filesystem::path directory;  ///< made when it is missing, 0700
    std::string ref;
    bool submodules = false;  ///< else they are empty directories
    bool lfs = false;         ///< LFS pointers are shown as what they stand for
    std::chrono::milliseconds io_timeout{10'000};
  };
  /// Prepares the directory; reaches no network unless it is new and the server has to be asked for
  /// the kind of its hashes.
  static Result<std::unique_ptr<Mirror>> open(Settings settings, std::shared_ptr<Access> access);
  ~Mirror();

  const catalog::PublicKey& signer() const { return volume_->signer(); }
  std::filesystem::path volume_directory() const { return volume_->directory(); }
  /// For what blobs are read with and fetched into.
  Command cat_file() const;
  Result<std::unique_ptr<Repository>> open_blobs() const;

  /// Where the LFS objects of each remote are, as of the last update().
  std::map<std::uint16_t, LfsEndpoint> lfs_endpoints() const;

  /// Asks the server for the ref, fetches and compiles its commit if it is another than the one
  /// shown. Symbolic links are fetched by `fetcher` and read by `reader`. Errors: Repository's,
  /// compile()'s; what was shown before stays.
  Result<ShownCommit> update(BlobFetcher& fetcher, BlobReader& reader, const Patience& patience);

 private:
  struct State {
    std::string tip;     ///< what the ref was
    std::string commit;  ///< what it led to
    std::string head;    ///< the digest of the head that shows it
  };
  Mirror(Settings settings, std::shared_ptr<Access> access);
  Status open_repository();
  std::optional<State> read_state() const;
  Status write_state(const State& state) const;
  Result<Commit> fetch(const std::string& ref, const Patience& patience);
  Status list(const std::string& commit, TreeRowReader& rows, const Patience& patience) const;
  struct Helpers {
    BlobFetcher& fetcher;
    BlobReader& reader;
    const Patience& patience;
    std::vector<TreeRange>& trees;  ///< of all that was added to the snapshot
  };
  Result<Snapshot> snapshot_of(const Commit& commit, const std::string& ref,
                               const Helpers& helpers);
  struct Tree;
  Status add_tree(Snapshot& snapshot, const Tree& tree, const Helpers& helpers);
  Status add_submodules(Snapshot& snapshot, const Tree& tree, const std::string& gitmodules,
                        const std::vector<std::pair<std::string, Snapshot::Number>>& links,
                        const Helpers& helpers);
  Result<std::uint16_t> remote_of(const std::string& url, BlobFetcher& fetcher);
  Status open_remotes();
  Status open_lfs_urls();
  Status keep_lfs_urls(const std::map<std::uint16_t, std::string>& urls);
  /// A command that reads all objects that are here.
  Command reading(const std::vector<std::string>& words) const;
  Result<std::map<std::string, std::string>> targets(const Snapshot& snapshot, BlobFetcher& fetcher,
                                                     BlobReader& reader);
  Sizes sizes(std::uint16_t remote, const std::vector<std::string>& ids, BlobReader& reader,
              const Patience& patience);
  Result<StoredHead> make_head(const Commit& commit, const Snapshot& snapshot,
                               const Helpers& helpers);

  const Settings settings_;
  const std::shared_ptr<Access> access_;
  std::string object_format_ = "sha1";
  std::unique_ptr<Repository> repository_;
  std::unique_ptr<LocalVolume> volume_;
  std::vector<std::string> remotes_;               ///< URLs; the first is SOURCE
  std::map<std::uint16_t, std::string> lfs_urls_;  ///< by number of the remote
  bool told_no_sizes_ = false;
};

}  // namespace lazyvol::git
