// The facade: puts revisions, open files and refreshing together.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "volume/published_core.h"
#include "volume/published_file.h"
#include "volume/published_heads.h"
#include "volume/published_refresher.h"
#include "volume/published_touch.h"
#include "volume/published_volume.h"

namespace lazyvol::volume {

class PublishedVolumeImpl final : public PublishedVolume,
                                  public std::enable_shared_from_this<PublishedVolumeImpl> {
 public:
  explicit PublishedVolumeImpl(std::shared_ptr<PublishedCore> core);
  ~PublishedVolumeImpl() override;
  /// Finds a head and shows its revision.
  Status begin(const std::optional<PublishedPlace::Head>& head);

  void lookup(NodeId parent, std::string name, RequestContext ctx, Done<Node> done) override;
  std::chrono::milliseconds negative_ttl() const override { return kPublishedTtl; }
  void attributes(NodeId id, RequestContext ctx, Done<Node> done) override;
  void readlink(NodeId id, RequestContext ctx, Done<std::string> done) override;
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
  void path_of(NodeId id, RequestContext ctx, Done<std::string> done) override {
    published_path(core_, id, std::move(ctx), std::move(done));
  }
  void touch(model::ProfileItem item, RequestContext ctx,
             std::function<void(Status)> done) override {
    touch_published(core_, item, std::move(ctx), std::move(done));
  }
  void stop() override;

 private:
  using RevisionPtr = std::shared_ptr<const Revision>;
  /// An entry of the current revision, and that revision.
  using Resolved = std::function<void(Result<catalog::Entry>, const RevisionPtr&)>;

  Result<ReadHead> first_head(const std::optional<PublishedPlace::Head>& head);
  Status show(ReadHead head);
  /// The entry with that id (as it is shown; not the root). Errors: stale.
  void resolve(NodeId id, const RequestContext& ctx, Resolved done);
  /// The same, and a file's size is known.
  void resolve_measured(NodeId id, const RequestContext& ctx, Resolved done);
  /// Answers a lookup, or begins it anew when another revision is shown by now.
  void found(const RevisionPtr& revision, const catalog::Entry& entry, NodeId parent,
             const std::string& name, const RequestContext& ctx, const Done<Node>& done);
  void absent(const RevisionPtr& revision, NodeId parent, const std::string& name,
              const RequestContext& ctx, Done<Node> done);
  std::shared_ptr<File> open_content(NodeId id, PublishedOpen open);

  const std::shared_ptr<PublishedCore> core_;
  const std::shared_ptr<PublishedHeads> heads_;
  const std::shared_ptr<PublishedRefresher> refresher_;
  const std::shared_ptr<PublishedOpenFiles> open_files_ = std::make_shared<PublishedOpenFiles>();
  bool began_offline_ = false;  // set by begin(), then constant
};

}  // namespace lazyvol::volume
