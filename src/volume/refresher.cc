#include "volume/refresher.h"

#include <algorithm>
#include <utility>

namespace lazyvol::volume {

void Refresher::run(std::shared_ptr<Core> core, std::shared_ptr<Listings> listings,
                    RequestContext ctx, Done done) {
  ctx.cause = Cause::refresh;
  auto self = std::shared_ptr<Refresher>(
      new Refresher(std::move(core), std::move(listings), std::move(ctx)));
  {
    auto state = self->state_.lock();
    state->waiting = self->core_->tree.recently_used();
    if (std::find(state->waiting.begin(), state->waiting.end(), kRootNode) ==
        state->waiting.end()) {
      state->waiting.push_back(kRootNode);
    }
    // Older ids first in traversal order: a parent that drops a directory spares its check.
    std::sort(state->waiting.begin(), state->waiting.end(), std::greater<>());
    state->done = std::move(done);
  }
  self->advance();
}

void Refresher::advance() {
  for (;;) {
    NodeId next = 0;
    {
      auto state = state_.lock();
      if (ctx_.stop.stop_requested()) state->waiting.clear();
      if (state->waiting.empty()) {
        if (state->running > 0 || !state->done) return;
        const auto report = state->report;
        const Done done = std::exchange(state->done, nullptr);
        state.unlock();
        return ctx_.stop.stop_requested()
                   ? done(Error{Code::cancelled, "nobody waits for the refresh any more"})
                   : done(report);
      }
      if (state->running >= kAtOnce) return;
      next = state->waiting.back();
      state->waiting.pop_back();
      ++state->running;
    }
    const auto place = core_->tree.place(next);
    if (place.ok() && !*place) {  // vanished with a directory above it
      --state_.lock()->running;
      continue;
    }
    listings_->relist(next, ctx_, [self = shared_from_this()](const Result<Freshness>& outcome) {
      self->checked(outcome);
    });
  }
}

void Refresher::checked(const Result<Freshness>& outcome) {
  {
    auto state = state_.lock();
    --state->running;
    const bool vanished = !outcome.ok() && outcome.error().code == Code::stale;
    if (outcome.ok() && !outcome->stale) {
      ++state->report.directories_checked;
      state->report.entries_changed += outcome->changes;
    } else if (!vanished) {
      ++state->report.failures;
    }
  }
  advance();
}

}  // namespace lazyvol::volume
