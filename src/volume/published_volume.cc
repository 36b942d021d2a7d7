#include "volume/published_volume.h"

#include <algorithm>
#include <future>
#include <utility>

#include "base/log.h"
#include "catalog/digest.h"
#include "volume/core.h"
#include "volume/published_directory.h"
#include "volume/published_evictor.h"
#include "volume/published_hot_packs.h"
#include "volume/published_prefetcher.h"
#include "volume/published_volume_impl.h"

namespace lazyvol::volume {
namespace {

constexpr std::chrono::milliseconds kNotKept{0};

Error gone(NodeId id) {
  return {Code::stale, "node " + std::to_string(id) + " is not in the revision that is shown"};
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

/// Waits for the one answer of a call.
template <class T>
Result<T> wait_for(const std::function<void(std::function<void(Result<T>)>)>& call) {
  // Shared: a promise may be in set_value() still when its future has answered.
  const auto answer = std::make_shared<std::promise<Result<T>>>();
  call([answer](Result<T> result) { answer->set_value(std::move(result)); });
  return answer->get_future().get();
}

}  // namespace

Result<std::shared_ptr<PublishedVolume>> PublishedVolume::open(PublishedPlace place,
                                                               const model::MountOptions& options,
                                                               VolumeEnvironment environment) {
  LAZYVOL_TRY_ASSIGN(const auto key, read_key(options.key));
  auto trust = std::make_shared<PublishedTrust>(place.name, options.revision, key,
                                                environment.heads, environment.clock);
  auto volume = std::make_shared<PublishedVolumeImpl>(
      std::make_shared<PublishedCore>(std::move(trust), std::move(place.origins), place.objects,
                                      options, environment, fetch_options(options)));
  if (auto status = volume->begin(place.head); !status.ok()) {
    volume->stop();
    return std::move(status).error();
  }
  return std::shared_ptr<PublishedVolume>(std::move(volume));
}

PublishedVolumeImpl::PublishedVolumeImpl(std::shared_ptr<PublishedCore> core)
    : core_(std::move(core)),
      heads_(std::make_shared<PublishedHeads>(core_->origins, core_->trust, core_->env.timer)),
      refresher_(std::make_shared<PublishedRefresher>(core_, heads_)) {}

PublishedVolumeImpl::~PublishedVolumeImpl() {
  core_->activity->stop();
}

Status PublishedVolumeImpl::begin(const std::optional<PublishedPlace::Head>& head) {
  LAZYVOL_TRY_ASSIGN(ReadHead first, first_head(head));
  LAZYVOL_TRY(show(std::move(first)));
  refresher_->schedule();
  if (core_->options.prefetch) PublishedHotPacks::run(core_);
  return {};
}

/// What the origins show; when they cannot be asked, what was known before.
Result<ReadHead> PublishedVolumeImpl::first_head(const std::optional<PublishedPlace::Head>& head) {
  Result<ReadHead> known = core_->trust->known();
  if (head) {
    auto read = parse_read_head(head->text);
    const Status good = read.ok() ? core_->trust->check(read->document) : Status(read.error());
    if (good.ok()) {
      heads_->used(0, head->validator);
      return read;
    }
    // Another origin may have the right one; if none has, the look says what is wrong.
  }
  RequestContext ctx;
  ctx.cause = Cause::open;
  ctx.stop = core_->activity->stop_token();
  ctx.no_progress = known.ok() ? std::min(core_->options.io_timeout, kWaitWithOldData)
                               : core_->options.io_timeout;
  auto found =
      wait_for<PublishedHeads::Found>([&](auto done) { heads_->look(ctx, std::move(done)); });
  if (found.ok()) {
    PublishedHeads::Seen& seen = **found;
    heads_->used(seen.origin, seen.validator);
    return std::move(seen.head);
  }
  const Code code = found.error().code;
  if (!known.ok() || !is_transient(code) || !may_serve_old(code) || code == Code::corrupt) {
    return found.error();
  }
  base::log_warn("serving revision {}, as it was known before: {}", known->document.head.sequence,
                 found.error().message);
  began_offline_ = true;
  return known;
}

Status PublishedVolumeImpl::show(ReadHead head) {
  auto revision = std::make_shared<Revision>(head.document, core_->fetcher, 0);
  RequestContext ctx = core_->patient({});
  ctx.cause = Cause::open;
  const auto mounted = wait_for<std::optional<catalog::Entry>>(
      [&](auto done) { revision->locate(kRootNode, core_->options.subdir, ctx, std::move(done)); });
  if (!mounted.ok()) return mounted.error().in("option subdir");
  if (*mounted) {
    if ((*mounted)->type != NodeType::directory) {
      return Error{Code::not_directory, "option subdir: " + (*mounted)->name + ": not a directory"};
    }
    revision->mount_directory((*mounted)->id);
  }
  core_->trust->use(head);
  core_->current.replace(std::move(revision), nullptr);
  return {};
}

void PublishedVolumeImpl::lookup(NodeId parent, std::string name, RequestContext ctx,
                                 Done<Node> done) {
  if (name.size() > kMaxName) return done(Error{Code::name_too_long, "a name of that length"});
  core_->accesses->note_directory(parent);
  const RevisionPtr revision = core_->current.get();
  ctx = core_->patient(std::move(ctx));
  revision->find(revision->in_catalog(parent), name, ctx,
                 [self = shared_from_this(), revision, parent, name, ctx,
                  done = std::move(done)](const Result<std::optional<catalog::Entry>>& found) {
                   if (!found.ok()) return done(self->core_->failed(found.error()));
                   if (!*found) return self->absent(revision, parent, name, ctx, done);
                   self->found(revision, **found, parent, name, ctx, done);
                 });
}

void PublishedVolumeImpl::found(const RevisionPtr& revision, const catalog::Entry& entry,
                                NodeId parent, const std::string& name, const RequestContext& ctx,
                                const Done<Node>& done) {
  core_->objects->measure(revision, entry, ctx,
                          [self = shared_from_this(), revision, parent, name, ctx,
                           done](const Result<catalog::Entry>& measured) {
                            const auto hold = self->core_->current.hold(revision);
                            if (!hold) return self->lookup(parent, name, ctx, done);
                            if (!measured.ok()) return done(self->core_->failed(measured.error()));
                            done(self->core_->view.node(*revision, *measured, kPublishedTtl));
                          });
}

/// A name is absent from a directory of this revision. A directory of another one is stale, which
/// has the kernel look its path up again: there may be one of that name by now.
void PublishedVolumeImpl::absent(const RevisionPtr& revision, NodeId parent,
                                 const std::string& name, const RequestContext& ctx,
                                 Done<Node> done) {
  auto answer = [self = shared_from_this(), revision, parent, name, ctx,
                 done = std::move(done)](bool directory_is_there) {
    const auto hold = self->core_->current.hold(revision);
    if (!hold) return self->lookup(parent, name, ctx, done);
    done(directory_is_there ? Error{Code::not_found, name + ": no such entry"} : gone(parent));
  };
  if (revision->switches() == 0 || parent == kRootNode) return answer(true);
  revision->find(parent, ctx,
                 [self = shared_from_this(), answer = std::move(answer),
                  done](const Result<std::optional<catalog::Entry>>& found) {
                   if (!found.ok()) return done(self->core_->failed(found.error()));
                   answer(found->has_value());
                 });
}

void PublishedVolumeImpl::resolve(NodeId id, const RequestContext& ctx, Resolved done) {
  const RevisionPtr revision = core_->current.get();
  revision->find(revision->in_catalog(id), core_->patient(ctx),
                 [self = shared_from_this(), revision, id,
                  done = std::move(done)](Result<std::optional<catalog::Entry>> found) {
                   if (!found.ok()) {
                     return done(self->core_->failed(std::move(found).error()), revision);
                   }
                   if (!*found) return done(gone(id), revision);
                   done(**std::move(found), revision);
                 });
}

void PublishedVolumeImpl::resolve_measured(NodeId id, const RequestContext& ctx, Resolved done) {
  resolve(id, ctx,
          [self = shared_from_this(), ctx, done = std::move(done)](Result<catalog::Entry> entry,
                                                                   const RevisionPtr& revision) {
            if (!entry.ok()) return done(std::move(entry), revision);
            self->core_->objects->measure(revision, *std::move(entry), self->core_->patient(ctx),
                                          [self, revision, done](Result<catalog::Entry> measured) {
                                            if (!measured.ok())
                                              self->core_->failed(measured.error());
                                            done(std::move(measured), revision);
                                          });
          });
}

void PublishedVolumeImpl::attributes(NodeId id, RequestContext ctx, Done<Node> done) {
  const RevisionPtr root = core_->current.get();
  if (root->in_catalog(id) == kRootNode) {
    const auto hold = core_->current.hold(root);
    return done(core_->view.root(*root, hold ? kPublishedTtl : kNotKept));
  }
  resolve_measured(
      id, ctx,
      [self = shared_from_this(), id, done = std::move(done)](const Result<catalog::Entry>& entry,
                                                              const RevisionPtr& revision) {
        const auto hold = self->core_->current.hold(revision);
        if (entry.ok()) {
          return done(self->core_->view.node(*revision, *entry, hold ? kPublishedTtl : kNotKept));
        }
        if (const auto open = self->open_files_->find(id)) return done(open->node);
        done(entry.error());
      });
}

void PublishedVolumeImpl::readlink(NodeId id, RequestContext ctx, Done<std::string> done) {
  resolve(id, ctx, [done = std::move(done)](Result<catalog::Entry> entry, const RevisionPtr&) {
    if (!entry.ok()) return done(entry.error());
    if (entry->type != NodeType::symlink) {
      return done(Error{Code::invalid_argument, "not a symbolic link"});
    }
    done(std::move(entry->symlink_target));
  });
}

void PublishedVolumeImpl::xattrs(NodeId id, RequestContext ctx, Done<std::vector<Xattr>> done) {
  if (const auto revision = core_->current.get(); revision->in_catalog(id) == kRootNode) {
    std::vector<Xattr> out;
    for (const auto& [name, value] : revision->head().root.xattrs) out.push_back({name, value});
    return done(std::move(out));
  }
  resolve(id, ctx, [done = std::move(done)](Result<catalog::Entry> entry, const RevisionPtr&) {
    if (!entry.ok()) return done(entry.error());
    std::vector<Xattr> out;
    for (auto& [name, value] : entry->xattrs) out.push_back({std::move(name), std::move(value)});
    done(std::move(out));
  });
}

void PublishedVolumeImpl::open_directory(NodeId id, RequestContext ctx,
                                         Done<std::shared_ptr<Directory>> done) {
  core_->accesses->note_directory(id);
  const RevisionPtr root = core_->current.get();
  if (id == kRootNode) {
    const NodeId mounted = root->in_catalog(kRootNode);
    return done(std::shared_ptr<Directory>(
        std::make_shared<PublishedDirectory>(core_, root, mounted, mounted)));
  }
  resolve(id, ctx,
          [self = shared_from_this(), done = std::move(done)](const Result<catalog::Entry>& entry,
                                                              const RevisionPtr& revision) {
            if (!entry.ok()) return done(entry.error());
            if (entry->type != NodeType::directory) {
              return done(Error{Code::not_directory, entry->name + ": not a directory"});
            }
            done(std::shared_ptr<Directory>(std::make_shared<PublishedDirectory>(
                self->core_, revision, entry->id, entry->directory)));
          });
}

std::shared_ptr<File> PublishedVolumeImpl::open_content(NodeId id, PublishedOpen open) {
  const auto content = open.content;
  return std::make_shared<PublishedFile>(open_files_->add(id, std::move(open)), content,
                                         core_->fetcher->options(),
                                         RecordedFile{core_->accesses, id});
}

void PublishedVolumeImpl::open_file(NodeId id, RequestContext ctx,
                                    Done<std::shared_ptr<File>> done) {
  if (id == kRootNode) return done(Error{Code::is_directory, "the root is a directory"});
  resolve_measured(
      id, ctx,
      [self = shared_from_this(), id, done = std::move(done)](const Result<catalog::Entry>& entry,
                                                              const RevisionPtr& revision) {
        if (!entry.ok()) {
          // Open already, through another handle: it can be opened again.
          if (auto open = self->open_files_->find(id)) {
            return done(self->open_content(id, *std::move(open)));
          }
          return done(entry.error());
        }
        if (entry->type == NodeType::directory) {
          return done(Error{Code::is_directory, entry->name + ": is a directory"});
        }
        if (entry->type != NodeType::file) {
          return done(Error{Code::invalid_argument, entry->name + ": not a regular file"});
        }
        const auto content = self->core_->fetcher->open(*entry);
        if (!std::holds_alternative<catalog::ObjectContent>(entry->content)) {
          self->core_->readahead.opened(*revision, *entry, *content, self->core_->unattended());
        } else if (!content->has(0, entry->size)) {
          self->core_->objects->about_to_read(*revision, *entry);
        }
        done(
            self->open_content(id, {self->core_->view.node(*revision, *entry, kNotKept), content}));
      });
}

void PublishedVolumeImpl::parent_of(NodeId id, RequestContext ctx, Done<Node> done) {
  if (id == kRootNode) return attributes(kRootNode, std::move(ctx), std::move(done));
  resolve(id, ctx,
          [self = shared_from_this(), ctx, done = std::move(done)](
              const Result<catalog::Entry>& entry, const RevisionPtr& revision) {
            if (!entry.ok()) return done(entry.error());
            self->attributes(revision->shown(entry->directory), ctx, done);
          });
}

void PublishedVolumeImpl::refresh(RequestContext ctx, Done<RefreshReport> done) {
  refresher_->run(std::move(ctx), std::move(done));
}

void PublishedVolumeImpl::evict(std::string path, Done<std::uint64_t> done) {
  PublishedEvictor::run(core_, std::move(path), std::move(done));
}

void PublishedVolumeImpl::prefetch(std::string path, RequestContext ctx,
                                   std::function<void(const PrefetchProgress&)> progress,
                                   Done<PrefetchProgress> done) {
  PublishedPrefetcher::run(core_, std::move(path), std::move(ctx), std::move(progress),
                           std::move(done));
}

VolumeStatfs PublishedVolumeImpl::statfs() const {
  const auto stats = core_->env.fetch.cache->stats();
  return {stats.bytes, stats.limit_bytes};
}

VolumeStats PublishedVolumeImpl::stats() const {
  VolumeStats out;
  out.failures = core_->counters.failures;
  out.fetch = core_->fetcher->stats();
  PublishedStats& published = out.published.emplace();
  if (const auto revision = core_->current.get()) {
    const catalog::Head& head = revision->head();
    published.volume =
        catalog::to_hex({reinterpret_cast<const char*>(head.volume.data()), head.volume.size()});
    if (const auto& signer = revision->document().signer) published.signer = signer->text();
    published.sequence = head.sequence;
    published.created_ns = head.created_ns;
    published.expires_ns = head.expires_ns;
  }
  published.refreshes = core_->counters.refreshes;
  published.offline = began_offline_ && published.refreshes == 0;
  published.refresh_failures = core_->counters.refresh_failures;
  published.switches = core_->counters.switches;
  published.refresh_error = refresher_->last_error();
  published.frames = core_->fetcher->frame_stats();
  return out;
}

void PublishedVolumeImpl::stop() {
  core_->activity->stop();
  refresher_->cancel_waiters();
  core_->fetcher->stop();
  core_->activity->wait();
}

}  // namespace lazyvol::volume
