#include "volume/live_touch.h"

#include <utility>

#include "volume/live_content.h"
#include "volume/want_ranges.h"

namespace lazyvol::volume {

LiveTouch::LiveTouch(Prefetcher::Parts parts, model::ProfileItem item, RequestContext ctx,
                     std::function<void(Status)> done)
    : parts_(std::move(parts)),
      item_(std::move(item)),
      ctx_(std::move(ctx)),
      done_(std::move(done)),
      token_(parts_.core->activity->enter()) {}

void LiveTouch::run(Prefetcher::Parts parts, model::ProfileItem item, RequestContext ctx,
                    std::function<void(Status)> done) {
  const auto self = std::shared_ptr<LiveTouch>(
      new LiveTouch(std::move(parts), std::move(item), std::move(ctx), std::move(done)));
  if (!self->token_) return self->done_(Error{Code::cancelled, "the volume is stopping"});
  self->descend(kRootNode, self->item_.path);
}

/// Follows `rest` down from `directory`.
void LiveTouch::descend(NodeId directory, std::string rest) {
  parts_.listings->ensure(
      directory, ctx_,
      [self = shared_from_this(), directory,
       rest = std::move(rest)](const Result<Freshness>& fresh) mutable {
        if (!fresh.ok() || rest.empty())
          return self->done_(Status(fresh.ok() ? Status() : fresh.error()));
        const auto slash = rest.find('/');
        const std::string name = rest.substr(0, slash);
        rest.erase(0, slash == std::string::npos ? slash : slash + 1);
        const auto entry = self->parts_.core->tree.find(directory, name);
        if (!entry.ok()) return self->done_(entry.error());
        if (!*entry) return self->done_(Error{Code::not_found, name + ": no such entry"});
        const bool is_directory = (*entry)->remote.type == NodeType::directory;
        if (is_directory && (self->item_.directory || !rest.empty())) {
          return self->descend((*entry)->id, std::move(rest));
        }
        if (!rest.empty())
          return self->done_(Error{Code::not_directory, name + ": not a directory"});
        self->found(directory, **entry);
      });
}

void LiveTouch::found(NodeId parent, const cache::StoredEntry& entry) {
  parts_.entry_stats->ensure(
      parent, entry, ctx_, [self = shared_from_this(), parent](const Result<KnownEntry>& known) {
        if (!known.ok()) return self->done_(known.error());
        if (known->entry.remote.type != NodeType::file) return self->done_(Status());
        auto ref = live_content(*self->parts_.core, parent, known->entry.remote);
        if (!ref.ok()) return self->done_(ref.error());
        want_ranges(self->parts_.fetcher->open(*std::move(ref)), self->item_.ranges, self->ctx_,
                    [self](const Status& status) { self->done_(status); });
      });
}

}  // namespace lazyvol::volume
