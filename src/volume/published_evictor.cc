#include "volume/published_evictor.h"

#include <utility>

namespace lazyvol::volume {

PublishedEvictor::PublishedEvictor(std::shared_ptr<PublishedCore> core, Done done)
    : core_(std::move(core)),
      revision_(core_->current.get()),
      done_(std::move(done)),
      walk_(revision_) {}

void PublishedEvictor::run(std::shared_ptr<PublishedCore> core, std::string path, Done done) {
  auto self =
      std::shared_ptr<PublishedEvictor>(new PublishedEvictor(std::move(core), std::move(done)));
  self->token_ = self->core_->activity->enter();
  if (!self->token_) return self->done_(Error{Code::cancelled, "the volume is stopping"});
  RequestContext ctx = self->core_->unattended();
  ctx.priority = Priority::metadata;
  self->revision_->locate(self->revision_->in_catalog(kRootNode), std::move(path), ctx,
                          [self](const Result<std::optional<catalog::Entry>>& found) {
                            if (!found.ok()) return self->done_(found.error());
                            self->begin(*found);
                          });
}

void PublishedEvictor::begin(const std::optional<catalog::Entry>& entry) {
  if (!entry) {
    walk_.add(revision_->in_catalog(kRootNode));
  } else if (entry->type == NodeType::directory) {
    walk_.add(entry->id);
  } else {
    drop(*entry);
  }
  continue_later();
}

void PublishedEvictor::drop(const catalog::Entry& entry) {
  if (entry.type != NodeType::file) return;
  const auto size = core_->objects->size(entry.id, entry.size);
  if (!size) return;  // nobody has opened it
  catalog::Entry known = entry;
  known.size = *size;
  freed_ += core_->fetcher->evict(known);
}

void PublishedEvictor::continue_later() {
  const bool accepted = core_->on_worker([self = shared_from_this()] { self->advance(); });
  if (!accepted) done_(Error{Code::cancelled, "the volume is stopping"});
}

void PublishedEvictor::advance() {
  if (core_->activity->stop_token().stop_requested()) {
    return done_(Error{Code::cancelled, "the volume is stopping"});
  }
  if (walk_.finished()) return done_(freed_);
  // A page that is damaged here is not at hand.
  if (const auto entries = walk_.next_at_hand(); entries.ok()) {
    for (const auto& entry : *entries) drop(entry);
  }
  continue_later();
}

}  // namespace lazyvol::volume
