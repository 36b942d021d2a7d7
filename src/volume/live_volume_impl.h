// The facade: puts listings, entry stats and contents together.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "volume/core.h"
#include "volume/entry_stats.h"
#include "volume/listing_ahead.h"
#include "volume/listings.h"
#include "volume/live_volume.h"
#include "volume/open_files.h"
#include "volume/sibling_readahead.h"

namespace lazyvol::volume {

class LiveVolumeImpl final : public LiveVolume,
                             public std::enable_shared_from_this<LiveVolumeImpl> {
 public:
  LiveVolumeImpl(std::shared_ptr<Core> core, fetch::FetchOptions fetch_options);
  ~LiveVolumeImpl() override;
  /// Makes the fetcher, lists the root and learns its attributes. Blocks up to io-timeout.
  Status begin();

  void lookup(NodeId parent, std::string name, RequestContext ctx, Done<Node> done) override;
  std::chrono::milliseconds negative_ttl() const override {
    return core_->options.negative_metadata_ttl;
  }
  void attributes(NodeId id, RequestContext ctx, Done<Node> done) override;
  void readlink(NodeId id, RequestContext ctx, Done<std::string> done) override;
  /// unsupported: no source of live volumes tells any.
  void xattrs(NodeId id, RequestContext ctx, Done<std::vector<Xattr>> done) override;
  void open_directory(NodeId id, RequestContext ctx,
                      Done<std::shared_ptr<Directory>> done) override;
  void open_file(NodeId id, RequestContext ctx, Done<std::shared_ptr<File>> done) override;
  void parent_of(NodeId id, RequestContext ctx, Done<Node> done) override;
  void refresh(RequestContext ctx, Done<RefreshReport> done) override;
  void evict(std::string path, Done<std::uint64_t> done) override;
  void prefetch(std::string path, RequestContext ctx,
                std::function<void(const PrefetchProgress&)> progress,
                Done<PrefetchProgress> done) override;
  VolumeStatfs statfs() const override;
  void listen(ChangeListener* listener) override { core_->notifier.listen(listener); }
  VolumeStats stats() const override;
  AccessRecorder& accesses() override { return *core_->accesses; }
  void path_of(NodeId id, RequestContext ctx, Done<std::string> done) override;
  void touch(model::ProfileItem item, RequestContext ctx,
             std::function<void(Status)> done) override;
  void stop() override;

 private:
  /// An entry that may be shown, and where it stands.
  struct Resolved {
    NodeId parent = 0;
    cache::StoredEntry entry;
    std::chrono::milliseconds left{0};
    bool stale = false;
  };
  using ResolveDone = std::function<void(Result<Resolved>)>;

  /// The entry of that name, from a usable listing; files and symlinks made exact.
  void resolve(NodeId parent, const std::string& name, const RequestContext& ctx, ResolveDone done);
  /// The entry with that id. Errors: stale when its name shows another node by now.
  void resolve(NodeId id, const RequestContext& ctx, ResolveDone done);
  Node node_of(const Resolved& resolved) const;
  Node root_node() const;
  Node open_node(const OpenVersion& version) const;
  std::shared_ptr<File> open_version(OpenVersion version,
                                     const std::shared_ptr<fetch::Content>& content);
  void reopen(NodeId parent, const std::string& name, const RequestContext& ctx,
              OpenFile::Reopened done);
  void version_gone(const fetch::ContentRef& ref);
  std::string source_path(const std::string& path) const;

  const std::shared_ptr<Core> core_;
  const std::shared_ptr<Listings> listings_;
  const std::shared_ptr<EntryStats> entry_stats_;
  const std::shared_ptr<ListingAhead> walks_;
  const std::shared_ptr<OpenFiles> open_files_ = std::make_shared<OpenFiles>();
  const fetch::FetchOptions fetch_options_;
  // Set by begin(), then constant.
  std::shared_ptr<fetch::Fetcher> fetcher_;
  std::shared_ptr<SiblingReadahead> siblings_;
  base::Locked<cache::StoredEntry> root_;
};

}  // namespace lazyvol::volume
