#include "volume/live_volume.h"

#include <algorithm>
#include <future>
#include <utility>

#include "base/log.h"
#include "volume/directory_snapshot.h"
#include "volume/evictor.h"
#include "volume/live_content.h"
#include "volume/live_touch.h"
#include "volume/live_volume_impl.h"
#include "volume/prefetcher.h"
#include "volume/refresher.h"

namespace lazyvol::volume {
namespace {

Error gone(NodeId id) {
  return {Code::stale, "node " + std::to_string(id) + " no longer names anything"};
}

fetch::FetchOptions fetch_options(const model::MountOptions& options) {
  fetch::FetchOptions out;
  out.io_timeout = options.io_timeout;
  out.io_retries = options.io_retries;
  out.max_requests = options.max_connections;
  out.max_readahead = options.max_readahead;
  out.readahead = options.prefetch;
  return out;
}

}  // namespace

Result<std::shared_ptr<LiveVolume>> LiveVolume::open(std::string name,
                                                     std::shared_ptr<Source> source,
                                                     const model::MountOptions& options,
                                                     VolumeEnvironment environment) {
  LAZYVOL_TRY_ASSIGN(const auto id, environment.trees.open_volume(name));
  auto core = std::make_shared<Core>(std::move(source), options, environment, id);
  auto volume = std::make_shared<LiveVolumeImpl>(std::move(core), fetch_options(options));
  if (auto status = volume->begin(); !status.ok()) {
    volume->stop();
    return std::move(status).error();
  }
  return std::shared_ptr<LiveVolume>(std::move(volume));
}

LiveVolumeImpl::LiveVolumeImpl(std::shared_ptr<Core> core, fetch::FetchOptions fetch_options)
    : core_(std::move(core)),
      listings_(std::make_shared<Listings>(core_)),
      entry_stats_(std::make_shared<EntryStats>(core_, listings_)),
      walks_(std::make_shared<ListingAhead>(core_, listings_)),
      fetch_options_(fetch_options) {}

LiveVolumeImpl::~LiveVolumeImpl() {
  core_->activity->stop();
}

Status LiveVolumeImpl::begin() {
  fetcher_ = fetch::Fetcher::make(core_->source, core_->env.fetch, fetch_options_,
                                  [weak = weak_from_this()](const fetch::ContentRef& ref) {
                                    if (auto self = weak.lock()) self->version_gone(ref);
                                  });
  siblings_ = std::make_shared<SiblingReadahead>(
      core_, entry_stats_, fetcher_, fetch_options_.readahead ? fetch_options_.max_readahead : 0);
  RequestContext ctx;
  ctx.cause = Cause::list;
  const auto known = core_->tree.header(kRootNode);
  ctx = core_->shared_context(ctx, known.ok() && *known);
  // Shared: a promise may be in set_value() still when its future has answered.
  const auto described = std::make_shared<std::promise<Result<RemoteEntry>>>();
  const auto listed = std::make_shared<std::promise<Result<Freshness>>>();
  core_->source->stat(core_->tree.root_path(), ctx, [described](Result<RemoteEntry> answer) {
    described->set_value(std::move(answer));
  });
  listings_->relist(kRootNode, ctx,
                    [listed](Result<Freshness> outcome) { listed->set_value(std::move(outcome)); });
  auto root = described->get_future().get();
  const auto listing = listed->get_future().get();
  if (!listing.ok()) return listing.error();
  if (listing->reason) {
    if (!may_serve_old(listing->reason->code)) return *listing->reason;
    base::log_warn("{}: serving what was known before: {}", core_->source->traits().display,
                   listing->reason->message);
  }
  auto own = root_.lock();
  if (root.ok()) own->remote = std::move(*root);
  own->remote.type = NodeType::directory;
  own->id = kRootNode;
  return {};
}

void LiveVolumeImpl::resolve(NodeId parent, const std::string& name, const RequestContext& ctx,
                             ResolveDone done) {
  listings_->ensure(
      parent, ctx,
      [self = shared_from_this(), parent, name, ctx,
       done = std::move(done)](const Result<Freshness>& fresh) {
        if (!fresh.ok()) return done(fresh.error());
        const auto entry = self->core_->tree.find(parent, name);
        if (!entry.ok()) return done(entry.error());
        auto known = [parent, fresh = *fresh, briefly = self->core_->view.short_ttl(),
                      done](Result<KnownEntry> found) {
          if (!found.ok()) {
            Error error = std::move(found).error();
            // An old listing proves no absence: nobody may remember it for long.
            if (fresh.stale && error.code == Code::not_found) error.retry_after = briefly;
            return done(std::move(error));
          }
          done(Resolved{parent, std::move(found->entry), fresh.left, fresh.stale || found->stale});
        };
        if (*entry) return self->entry_stats_->ensure(parent, **entry, ctx, std::move(known));
        self->entry_stats_->ensure_hidden(parent, name, ctx, std::move(known));
      });
}

void LiveVolumeImpl::resolve(NodeId id, const RequestContext& ctx, ResolveDone done) {
  const auto place = core_->tree.place(id);
  if (!place.ok()) return done(place.error());
  if (!*place) return done(gone(id));
  resolve((*place)->parent, (*place)->name, ctx,
          [id, done = std::move(done)](Result<Resolved> resolved) {
            if (!resolved.ok()) {
              return done(resolved.error().code == Code::not_found ? gone(id) : resolved.error());
            }
            if (resolved->entry.id != id) return done(gone(id));
            done(std::move(resolved));
          });
}

Node LiveVolumeImpl::node_of(const Resolved& resolved) const {
  auto node = core_->view.node(resolved.entry, core_->env.clock.wall_ns(), resolved.left);
  if (resolved.stale) {
    node.entry_ttl = node.attribute_ttl = core_->view.short_ttl();
  }
  return node;
}

Node LiveVolumeImpl::root_node() const {
  return {core_->view.attributes(*root_.lock()), core_->options.metadata_ttl,
          core_->options.metadata_ttl};
}

Node LiveVolumeImpl::open_node(const OpenVersion& version) const {
  return {core_->view.attributes(version.entry), std::chrono::milliseconds{0},
          core_->options.metadata_ttl};
}

void LiveVolumeImpl::lookup(NodeId parent, std::string name, RequestContext ctx, Done<Node> done) {
  if (name.size() > kMaxName) return done(Error{Code::name_too_long, "a name of over 255 bytes"});
  if (!valid_name(name)) return done(Error{Code::not_found, "no entry can have this name"});
  core_->accesses->note_directory(parent);
  resolve(parent, name, ctx,
          [self = shared_from_this(), done = std::move(done)](const Result<Resolved>& resolved) {
            if (!resolved.ok()) return done(resolved.error());
            done(self->node_of(*resolved));
          });
}

void LiveVolumeImpl::attributes(NodeId id, RequestContext ctx, Done<Node> done) {
  if (id == kRootNode) return done(root_node());
  resolve(
      id, ctx,
      [self = shared_from_this(), id, done = std::move(done)](const Result<Resolved>& resolved) {
        if (resolved.ok()) return done(self->node_of(*resolved));
        if (const auto open = self->open_files_->find(id)) return done(self->open_node(*open));
        done(resolved.error());
      });
}

void LiveVolumeImpl::readlink(NodeId id, RequestContext ctx, Done<std::string> done) {
  resolve(id, ctx, [done = std::move(done)](Result<Resolved> resolved) {
    if (!resolved.ok()) return done(resolved.error());
    if (resolved->entry.remote.type != NodeType::symlink) {
      return done(Error{Code::invalid_argument, "not a symbolic link"});
    }
    done(std::move(resolved->entry.remote.symlink_target));
  });
}

void LiveVolumeImpl::xattrs(NodeId, RequestContext, Done<std::vector<Xattr>> done) {
  done(Error{Code::unsupported, "a live volume has no extended attributes"});
}

void LiveVolumeImpl::open_directory(NodeId id, RequestContext ctx,
                                    Done<std::shared_ptr<Directory>> done) {
  const auto place = core_->tree.place(id);
  if (!place.ok()) return done(place.error());
  if (!*place) return done(gone(id));
  core_->accesses->note_directory(id);
  if (id != kRootNode) {
    const auto entry = core_->tree.find((*place)->parent, (*place)->name);
    if (entry.ok() && *entry && (*entry)->remote.type != NodeType::directory) {
      return done(Error{Code::not_directory, (*place)->name + ": not a directory"});
    }
  }
  listings_->ensure(id, ctx,
                    [self = shared_from_this(), id, at = **place,
                     done = std::move(done)](const Result<Freshness>& fresh) {
                      if (!fresh.ok()) return done(fresh.error());
                      if (self->fetch_options_.readahead) {
                        self->walks_->opened(id, at.parent, at.name, fresh->asked);
                      }
                      const auto entries = self->core_->tree.entries(id);
                      if (!entries.ok()) return done(entries.error());
                      done(std::shared_ptr<Directory>(std::make_shared<DirectorySnapshot>(
                          id, at.parent, *entries, self->core_->view,
                          self->core_->env.clock.wall_ns(), fresh->left)));
                    });
}

std::shared_ptr<File> LiveVolumeImpl::open_version(OpenVersion version,
                                                   const std::shared_ptr<fetch::Content>& content) {
  OpenFile::Reopen again;
  if (core_->options.on_change == "reopen") {
    again = [weak = weak_from_this(), parent = version.parent, name = version.entry.remote.name](
                const RequestContext& ctx, OpenFile::Reopened done) {
      auto self = weak.lock();
      if (!self) return done(Error{Code::cancelled, "the volume is gone"});
      self->reopen(parent, name, ctx, std::move(done));
    };
  }
  const NodeId id = version.entry.id;
  return std::make_shared<OpenFile>(open_files_->add(id, std::move(version)), content,
                                    fetch_options_, RecordedFile{core_->accesses, id},
                                    std::move(again));
}

void LiveVolumeImpl::open_file(NodeId id, RequestContext ctx, Done<std::shared_ptr<File>> done) {
  resolve(
      id, ctx,
      [self = shared_from_this(), id, done = std::move(done)](const Result<Resolved>& resolved) {
        if (!resolved.ok()) {
          // Open already, through another handle: its version can be opened again.
          if (auto open = self->open_files_->find(id)) {
            const auto content = self->fetcher_->open(open->content);
            return done(self->open_version(*std::move(open), content));
          }
          return done(resolved.error());
        }
        auto ref = live_content(*self->core_, resolved->parent, resolved->entry.remote);
        if (!ref.ok()) return done(ref.error());
        const auto content = self->fetcher_->open(*ref);
        self->siblings_->opened(resolved->parent, resolved->entry.remote.name, *content);
        done(self->open_version({resolved->parent, resolved->entry, *std::move(ref)}, content));
      });
}

void LiveVolumeImpl::reopen(NodeId parent, const std::string& name, const RequestContext& ctx,
                            OpenFile::Reopened done) {
  entry_stats_->ask(
      parent, name, ctx,
      [self = shared_from_this(), parent, done = std::move(done)](Result<KnownEntry> known) {
        if (!known.ok()) {
          return done(known.error().code == Code::not_found
                          ? Error{Code::stale, known.error().message}
                          : known.error());
        }
        auto ref = live_content(*self->core_, parent, known->entry.remote);
        if (!ref.ok()) return done(ref.error());
        done(self->fetcher_->open(*std::move(ref)));
      });
}

void LiveVolumeImpl::parent_of(NodeId id, RequestContext ctx, Done<Node> done) {
  const auto place = core_->tree.place(id);
  if (!place.ok()) return done(place.error());
  if (!*place) return done(gone(id));
  attributes((*place)->parent, std::move(ctx), std::move(done));
}

void LiveVolumeImpl::version_gone(const fetch::ContentRef& ref) {
  core_->on_worker([self = shared_from_this(), ref] {
    const auto at = self->core_->tree.locate(ref.path);
    if (!at.ok() || !at->entry || at->entry->remote.validator != ref.validator) return;
    const auto& name = at->entry->remote.name;
    if (!self->core_->tree.mark_in_doubt(at->parent, name).ok()) return;
    RequestContext ctx;
    ctx.priority = Priority::metadata;
    ctx.cause = Cause::lookup;
    self->entry_stats_->ask(at->parent, name, ctx,
                            [self, parent = at->parent, name](const Result<KnownEntry>&) {
                              self->core_->notifier.post({{{parent, name}}, {}});
                            });
  });
}

std::string LiveVolumeImpl::source_path(const std::string& path) const {
  const std::string& root = core_->tree.root_path();
  if (root.empty() || path.empty()) return root + path;
  return root + "/" + path;
}

void LiveVolumeImpl::refresh(RequestContext ctx, Done<RefreshReport> done) {
  Refresher::run(core_, listings_, std::move(ctx), std::move(done));
}

void LiveVolumeImpl::evict(std::string path, Done<std::uint64_t> done) {
  Evictor::run(core_, source_path(path), std::move(done));
}

void LiveVolumeImpl::prefetch(std::string path, RequestContext ctx,
                              std::function<void(const PrefetchProgress&)> progress,
                              Done<PrefetchProgress> done) {
  Prefetcher::run({core_, listings_, entry_stats_, fetcher_}, std::move(path), std::move(ctx),
                  std::move(progress), std::move(done));
}

void LiveVolumeImpl::path_of(NodeId id, RequestContext, Done<std::string> done) {
  const auto place = core_->tree.place(id);
  if (!place.ok()) return done(place.error());
  if (!*place) return done(gone(id));
  auto path = id == kRootNode ? core_->tree.path_of(id)
                              : core_->tree.path_of((*place)->parent, (*place)->name);
  if (!path.ok()) return done(std::move(path).error());
  const std::size_t root = core_->tree.root_path().size();
  path->erase(0, root == 0 || path->size() == root ? root : root + 1);
  done(std::move(path));
}

void LiveVolumeImpl::touch(model::ProfileItem item, RequestContext ctx,
                           std::function<void(Status)> done) {
  LiveTouch::run({core_, listings_, entry_stats_, fetcher_}, std::move(item), std::move(ctx),
                 std::move(done));
}

VolumeStatfs LiveVolumeImpl::statfs() const {
  const auto stats = core_->env.fetch.cache->stats();
  return {stats.bytes, stats.limit_bytes};
}

VolumeStats LiveVolumeImpl::stats() const {
  const Counters& counters = core_->counters;
  return {counters.lists,    counters.stats,    counters.not_modified, counters.stale_served,
          counters.failures, fetcher_->stats(), std::nullopt};
}

void LiveVolumeImpl::stop() {
  core_->activity->stop();
  listings_->cancel_waiters();
  entry_stats_->cancel_waiters();
  if (fetcher_) fetcher_->stop();
  core_->activity->wait();
}

}  // namespace lazyvol::volume
