// The catalog that commits are compiled into: a directory that looks like a published volume of
// metadata packs. docs/format.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "catalog/head.h"
#include "catalog/pack.h"
#include "catalog/page_store.h"
#include "catalog/signing_key.h"
#include "lazyvol/error.h"

namespace lazyvol::git {

/// A head as it is stored.
struct StoredHead {
  std::string text;
  catalog::HeadDocument document;
};

/// Blocks on the disk. Thread rule: one thread.
class LocalVolume final : public catalog::PageReader, public catalog::PageWriter {
 public:
  /// Makes what is missing: the directory and the key that signs (key.pem, 0600). A key that cannot
  /// be read is an error: another one would make another volume.
  static Result<std::unique_ptr<LocalVolume>> open(std::filesystem::path directory);
  ~LocalVolume() override;

  const catalog::PublicKey& signer() const { return signer_; }
  const std::filesystem::path& directory() const { return directory_; }
  /// nullopt: none was written, or it is damaged or of another key, with a line in the log.
  std::optional<StoredHead> head() const;

  Result<std::shared_ptr<const std::string>> read(const catalog::FrameRef& ref) override;
  /// A page that was read or written before keeps its place.
  Status write(std::string page) override;
  Result<std::vector<catalog::FrameRef>> seal() override;

  /// Signs the head and puts it in place, after the packs that were sealed; then removes packs that
  /// none of the last few heads reaches. Killed at any point, the old head stands or the new one.
  Result<StoredHead> commit(const catalog::Head& head);
  /// Removes heads and packs, after damage: the next commit starts anew.
  Status clear();

 private:
  LocalVolume(std::filesystem::path directory, catalog::SecretKey key);
  Status close_pack();
  Status write_file(const std::string& path, std::string_view bytes) const;
  void remove_old(std::uint64_t sequence);

  const std::filesystem::path directory_;
  const catalog::SecretKey key_;
  const catalog::PublicKey signer_;

  std::unordered_map<catalog::Digest, catalog::FrameRef, catalog::DigestHash> places_;
  std::unordered_map<catalog::Digest, std::shared_ptr<const std::string>, catalog::DigestHash>
      pages_;  // decoded, by hash of the frame; cleared when there are many

  // The level that is being written.
  std::vector<catalog::FrameRef> refs_;
  struct Waiting {
    std::size_t ref;
    catalog::Digest page;
  };
  std::vector<Waiting> waiting_;
  std::string pack_bytes_;
  std::optional<catalog::PackBuilder> pack_;
};

}  // namespace lazyvol::git
