#include "volume/published_touch.h"

#include <utility>

#include "volume/want_ranges.h"

namespace lazyvol::volume {
namespace {

using RevisionPtr = std::shared_ptr<const Revision>;

/// A file whose size is known.
void fetch(const std::shared_ptr<PublishedCore>& core, const catalog::Entry& file,
           const std::vector<model::ProfileRange>& ranges, const RequestContext& ctx,
           std::function<void(Status)> done) {
  want_ranges(core->fetcher->open(file), ranges, ctx, std::move(done));
}

/// Goes up from `id`, a name at a time.
void climb(const RevisionPtr& revision, NodeId id, std::string below, const RequestContext& ctx,
           std::function<void(Result<std::string>)> done) {
  if (revision->shown(id) == kRootNode) return done(std::move(below));
  revision->find(id, ctx,
                 [revision, below = std::move(below), ctx,
                  done = std::move(done)](const Result<std::optional<catalog::Entry>>& found) {
                   if (!found.ok()) return done(found.error());
                   if (!*found)
                     return done(Error{Code::stale, "not in the revision that is shown"});
                   const catalog::Entry& entry = **found;
                   const std::string path = below.empty() ? entry.name : entry.name + "/" + below;
                   if (path.size() > kMaxPath || entry.id == entry.directory) {
                     return done(Error{Code::name_too_long, "the path is too long"});
                   }
                   climb(revision, entry.directory, path, ctx, done);
                 });
}

}  // namespace

void touch_published(const std::shared_ptr<PublishedCore>& core, const model::ProfileItem& item,
                     RequestContext ctx, std::function<void(Status)> done) {
  ctx = core->patient(std::move(ctx));
  auto token = core->activity->enter();
  if (!token) return done(Error{Code::cancelled, "the volume is stopping"});
  const RevisionPtr revision = core->current.get();
  auto found = [core, revision, ranges = item.ranges, ctx, token = std::move(token),
                done = std::move(done)](const Result<std::optional<catalog::Entry>>& entry) {
    if (!entry.ok()) return done(entry.error());
    if (!*entry) return done(Status());  // the root: its page is part of the head
    // What is opened is found by its id, in pages of their own.
    const auto finish = [core, revision, id = (*entry)->id, ctx, token,
                         done](const Status& status) {
      if (!status.ok()) return done(status);
      revision->bring_ids({id}, ctx, [token, done](const Status& brought) { done(brought); });
    };
    if ((*entry)->type == NodeType::directory) {
      const std::string nobody(1, '\1');  // whether it is there or not: its leaf comes
      return revision->find((*entry)->id, nobody, ctx, [finish](const auto& leaf) {
        finish(leaf.ok() ? Status() : Status(leaf.error()));
      });
    }
    if ((*entry)->type != NodeType::file) return finish(Status());
    core->objects->measure(revision, **entry, ctx,
                           [core, ranges, ctx, finish](const Result<catalog::Entry>& measured) {
                             if (!measured.ok()) return finish(measured.error());
                             fetch(core, *measured, ranges, ctx, finish);
                           });
  };
  revision->locate(revision->in_catalog(kRootNode), item.path, ctx, std::move(found));
}

void published_path(const std::shared_ptr<PublishedCore>& core, NodeId id, RequestContext ctx,
                    std::function<void(Result<std::string>)> done) {
  const RevisionPtr revision = core->current.get();
  climb(revision, revision->in_catalog(id), {}, core->patient(std::move(ctx)), std::move(done));
}

}  // namespace lazyvol::volume
