// Open files of live volumes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/locked.h"
#include "cache/tree_store.h"
#include "fetch/fetcher.h"
#include "lazyvol/volume.h"
#include "volume/access_recorder.h"
#include "volume/open_table.h"

namespace lazyvol::volume {

/// One version of a file that somebody has open.
struct OpenVersion {
  NodeId parent = 0;
  cache::StoredEntry entry;
  fetch::ContentRef content;
};

using OpenFiles = OpenTable<OpenVersion>;

/// A File over one version; with `reopen`, it changes to the version of the moment when its own is
/// gone (on-change=reopen): what was read before and what is read after may then not belong
/// together.
class OpenFile final : public File {
 public:
  using Reopened = std::function<void(Result<std::shared_ptr<fetch::Content>>)>;
  using Reopen = std::function<void(const RequestContext&, Reopened)>;

  OpenFile(std::unique_ptr<OpenFiles::Use> use, const std::shared_ptr<fetch::Content>& content,
           const fetch::FetchOptions& options, RecordedFile recorded, Reopen reopen);

  std::uint64_t size() const override;
  /// Always: a node is one version, so pages kept under its id can only be of that version. A file
  /// that may change to another version under the same id must not keep them.
  bool keep_cache() const override { return !shared_->reopen; }
  void read(std::uint64_t offset, std::span<std::byte> out, RequestContext ctx,
            ReadDone done) override;
  /// None for a file that may change to another version.
  std::unique_ptr<LocalFile> local() override;

 private:
  struct Version {
    std::shared_ptr<fetch::Content> content;
    std::shared_ptr<fetch::ContentReader> reader;
  };
  struct Shared {
    std::unique_ptr<OpenFiles::Use> use;
    fetch::FetchOptions options;
    RecordedFile recorded;
    Reopen reopen;
    base::Locked<Version> version;
  };
  static Version version_of(const std::shared_ptr<fetch::Content>& content,
                            const fetch::FetchOptions& options);
  static void read_again(const std::shared_ptr<Shared>& shared, std::uint64_t offset,
                         std::span<std::byte> out, const RequestContext& ctx, ReadDone done);

  std::shared_ptr<Shared> shared_;
};

}  // namespace lazyvol::volume
