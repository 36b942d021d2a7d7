// Open files: which versions are in use, whatever their names show by now.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/locked.h"
#include "cache/tree_store.h"
#include "fetch/fetcher.h"
#include "lazyvol/volume.h"

namespace lazyvol::volume {

/// One version of a file that somebody has open.
struct OpenVersion {
  NodeId parent = 0;
  cache::StoredEntry entry;
  fetch::ContentRef content;
};

/// Thread-safe.
class OpenFiles : public std::enable_shared_from_this<OpenFiles> {
 public:
  /// While it lives, find() knows the version.
  class Use {
   public:
    Use(std::shared_ptr<OpenFiles> table, NodeId id) : table_(std::move(table)), id_(id) {}
    ~Use() { table_->release(id_); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    std::shared_ptr<OpenFiles> table_;
    NodeId id_;
  };

  std::unique_ptr<Use> add(OpenVersion version);
  std::optional<OpenVersion> find(NodeId id) const;
  std::size_t count() const { return table_.lock()->size(); }

 private:
  struct Row {
    OpenVersion version;
    std::uint64_t uses = 0;
  };
  void release(NodeId id);

  base::Locked<std::unordered_map<NodeId, Row>> table_;
};

/// A File over one version; with `reopen`, it changes to the version of the moment when its own is
/// gone (on-change=reopen): what was read before and what is read after may then not belong
/// together.
class OpenFile final : public File {
 public:
  using Reopened = std::function<void(Result<std::shared_ptr<fetch::Content>>)>;
  using Reopen = std::function<void(const RequestContext&, Reopened)>;

  OpenFile(std::unique_ptr<OpenFiles::Use> use, const std::shared_ptr<fetch::Content>& content,
           const fetch::FetchOptions& options, Reopen reopen);

  std::uint64_t size() const override;
  /// Always: a node is one version, so pages kept under its id can only be of that version. A file
  /// that may change to another version under the same id must not keep them.
  bool keep_cache() const override { return !shared_->reopen; }
  void read(std::uint64_t offset, std::span<std::byte> out, RequestContext ctx,
            ReadDone done) override;

 private:
  struct Version {
    std::shared_ptr<fetch::ContentReader> reader;
    std::uint64_t size = 0;
  };
  struct Shared {
    std::unique_ptr<OpenFiles::Use> use;
    fetch::FetchOptions options;
    Reopen reopen;
    base::Locked<Version> version;
  };
  static void read_again(const std::shared_ptr<Shared>& shared, std::uint64_t offset,
                         std::span<std::byte> out, const RequestContext& ctx, ReadDone done);

  std::shared_ptr<Shared> shared_;
};

}  // namespace lazyvol::volume
