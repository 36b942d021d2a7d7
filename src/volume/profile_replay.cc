#include "volume/profile_replay.h"

#include <optional>
#include <utility>

namespace lazyvol::volume {
ProfileReplay::ProfileReplay(std::shared_ptr<MountedVolume> volume, model::Profile profile,
                             RequestContext ctx, Progress progress)
    : volume_(std::move(volume)),
      profile_(std::move(profile)),
      ctx_(std::move(ctx)),
      progress_(std::move(progress)) {}

void ProfileReplay::run(std::shared_ptr<MountedVolume> volume, model::Profile profile,
                        RequestContext ctx, Progress progress, Done done) {
  ctx.priority = Priority::sibling;
  ctx.cause = Cause::prefetch;
  const auto self = std::shared_ptr<ProfileReplay>(new ProfileReplay(
      std::move(volume), std::move(profile), std::move(ctx), std::move(progress)));
  {
    auto state = self->state_.lock();
    state->done = std::move(done);
    state->progress.files_found = self->profile_.size();
    for (const auto& item : self->profile_) state->progress.bytes_found += model::bytes_of(item);
  }
  self->advance();
}

void ProfileReplay::advance() {
  {
    auto state = state_.lock();
    state->again = true;
    if (std::exchange(state->advancing, true)) return;
  }
  for (;;) {
    std::optional<std::size_t> item;
    bool finished = false;
    {
      auto state = state_.lock();
      const bool more = state->next < profile_.size() && !ctx_.stop.stop_requested();
      if (state->done && more && state->in_flight < kItemsAtOnce) {
        item = state->next++;
        ++state->in_flight;
      } else if (!std::exchange(state->again, false)) {
        state->advancing = false;
        finished = state->in_flight == 0 && !more;
        if (!finished) return;
      }
    }
    if (finished) break;
    if (!item) continue;
    volume_->touch(profile_[*item], ctx_, [self = shared_from_this(), item = *item](Status status) {
      self->touched(self->profile_[item], status);
      self->advance();
    });
  }
  if (ctx_.stop.stop_requested()) return finish(Error{Code::cancelled, "the replay was stopped"});
  const PrefetchProgress last = state_.lock()->progress;
  finish(last);
}

void ProfileReplay::touched(const model::ProfileItem& item, const Status& status) {
  std::optional<PrefetchProgress> now;
  bool give_up = false;
  {
    auto state = state_.lock();
    --state->in_flight;
    if (status.ok()) {
      ++state->progress.files_done;
      state->progress.bytes_done += model::bytes_of(item);
      state->failures_in_a_row = 0;
    } else {
      ++state->progress.failures;
      give_up = is_transient(status.error().code) && ++state->failures_in_a_row >= kGiveUpAfter;
    }
    const auto time = base::system_clock().now();
    if (state->done && time - state->reported >= kProgressEvery) {
      state->reported = time;
      now = state->progress;
    }
  }
  if (now && progress_) progress_(*now);
  if (give_up) {
    finish(
        status.error().in("gave up after " + std::to_string(kGiveUpAfter) + " failures in a row"));
  }
}

void ProfileReplay::finish(Result<PrefetchProgress> result) {
  const Done done = std::exchange(state_.lock()->done, nullptr);
  if (!done) return;
  if (result.ok()) result->finished = true;
  done(std::move(result));
}

}  // namespace lazyvol::volume
