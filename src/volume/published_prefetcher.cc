#include "volume/published_prefetcher.h"

#include <algorithm>
#include <variant>

namespace lazyvol::volume {
namespace {

/// Origins that fail so often in a row are down: the rest would wait for a deadline each.
constexpr unsigned kGiveUpAfter = 16;
constexpr std::size_t kFilesWaiting = 64;

}  // namespace

struct PublishedPrefetcher::Step {
  enum class Kind { wait, finished, walk, batch, file } kind = Kind::wait;
  std::shared_ptr<const Batch> batch;
  catalog::Entry file;
};

PublishedPrefetcher::PublishedPrefetcher(std::shared_ptr<PublishedCore> core, RequestContext ctx,
                                         Progress progress)
    : core_(std::move(core)),
      revision_(core_->current.get()),
      ctx_(std::move(ctx)),
      progress_(std::move(progress)),
      walk_(revision_) {}

void PublishedPrefetcher::run(std::shared_ptr<PublishedCore> core, std::string path,
                              RequestContext ctx, Progress progress, Done done) {
  ctx = core->patient(std::move(ctx));
  ctx.priority = Priority::hydrate;
  ctx.cause = Cause::prefetch;
  auto self = std::shared_ptr<PublishedPrefetcher>(
      new PublishedPrefetcher(std::move(core), std::move(ctx), std::move(progress)));
  self->state_.lock()->done = std::move(done);
  self->token_ = self->core_->activity->enter();
  if (!self->token_) return self->finish(Error{Code::cancelled, "the volume is stopping"});
  self->revision_->locate(self->revision_->in_catalog(kRootNode), std::move(path), self->ctx_,
                          [self](const Result<std::optional<catalog::Entry>>& found) {
                            if (!found.ok()) return self->finish(found.error());
                            self->begin(*found);
                          });
}

bool PublishedPrefetcher::stopped() const {
  return ctx_.stop.stop_requested() || core_->activity->stop_token().stop_requested();
}

void PublishedPrefetcher::begin(const std::optional<catalog::Entry>& entry) {
  if (!entry) {
    walk_.add(revision_->in_catalog(kRootNode));
  } else if (entry->type == NodeType::directory) {
    walk_.add(entry->id);
  } else {
    found(*state_.lock(), *entry);
  }
  continue_later();
}

/// What to do next: bytes first, then the next page.
PublishedPrefetcher::Step PublishedPrefetcher::next_step(State& state) {
  const bool walked = !state.walking && walk_.finished();
  if (!stopped()) {
    if (walked && !state.filling.files.empty()) {
      state.batches.push_back(std::exchange(state.filling, {}));
    }
    if (state.batches_in_flight < kBatchesAtOnce && !state.batches.empty()) {
      auto batch = std::make_shared<Batch>(std::move(state.batches.front()));
      state.batches.pop_front();
      ++state.batches_in_flight;
      return {Step::Kind::batch, std::move(batch), {}};
    }
    if (state.files_in_flight < kFilesAtOnce && !state.files.empty()) {
      Step step{Step::Kind::file, nullptr, std::move(state.files.front())};
      state.files.pop_front();
      ++state.files_in_flight;
      return step;
    }
    const bool room = state.batches.size() < kBatchesAtOnce && state.files.size() < kFilesWaiting;
    if (!state.walking && !walked && room) {
      state.walking = true;
      return {Step::Kind::walk, nullptr, {}};
    }
  }
  const bool busy = state.walking || state.batches_in_flight + state.files_in_flight > 0;
  return {busy ? Step::Kind::wait : Step::Kind::finished, nullptr, {}};
}

void PublishedPrefetcher::advance() {
  for (;;) {
    Step step;
    {
      auto state = state_.lock();
      if (!state->done) return;
      step = next_step(*state);
    }
    if (step.kind == Step::Kind::wait) return;
    if (step.kind == Step::Kind::finished) break;
    if (step.kind == Step::Kind::walk) walk();
    if (step.kind == Step::Kind::batch) fetch(step.batch);
    if (step.kind == Step::Kind::file) fetch(step.file);
  }
  if (stopped()) return finish(Error{Code::cancelled, "the prefetch was stopped"});
  PrefetchProgress last = state_.lock()->progress;
  last.finished = true;
  finish(last);
}

void PublishedPrefetcher::walk() {
  walk_.next(ctx_, [self = shared_from_this()](Result<PublishedWalk::Entries> entries) {
    if (!entries.ok() || entries->empty()) return self->walked(std::move(entries));
    // Entries are opened by their ids, which are found in pages of their own.
    std::vector<NodeId> ids;
    for (const auto& entry : *entries) ids.push_back(entry.id);
    self->revision_->bring_ids(std::move(ids), self->ctx_,
                               [self, entries = std::move(entries)](const Status& status) mutable {
                                 if (!status.ok()) return self->walked(status.error());
                                 self->walked(std::move(entries));
                               });
  });
}

void PublishedPrefetcher::walked(Result<PublishedWalk::Entries> entries) {
  {
    auto state = state_.lock();
    state->walking = false;
    if (entries.ok()) {
      core_->objects->expect(*entries);
      for (auto& entry : *entries) found(*state, std::move(entry));
    } else {
      ++state->progress.failures;
    }
  }
  outcome(entries.ok() ? Status() : Status(entries.error()));
  continue_later();
}

void PublishedPrefetcher::found(State& state, catalog::Entry entry) {
  if (entry.type != NodeType::file) return;
  ++state.progress.files_found;
  const bool is_object = std::holds_alternative<catalog::ObjectContent>(entry.content);
  if (entry.size != catalog::kUnknownSize) state.progress.bytes_found += entry.size;
  const auto* pieces = std::get_if<catalog::PieceContent>(&entry.content);
  if (is_object || entry.size >= fetch::kLongFile ||
      std::holds_alternative<catalog::MapContent>(entry.content)) {
    state.files.push_back(std::move(entry));
    return;
  }
  if (pieces == nullptr) {  // in the entry itself
    ++state.progress.files_done;
    state.progress.bytes_done += entry.size;
    return;
  }
  Batch& batch = state.filling;
  for (const auto& piece : pieces->pieces) {
    if (!batch.frames.insert(piece.frame).second) continue;
    batch.order.push_back(piece.frame);
    batch.raw_bytes += piece.frame.raw;
  }
  batch.files.push_back(std::move(entry));
  if (batch.order.size() >= kBatchFrames || batch.raw_bytes >= kBatchBytes) {
    state.batches.push_back(std::exchange(state.filling, {}));
  }
}

void PublishedPrefetcher::fetch(const std::shared_ptr<const Batch>& batch) {
  core_->fetcher->frames().want(
      batch->order, fetch::FrameUse::bundle, ctx_,
      [self = shared_from_this(), batch](const Status& status) {
        {
          auto state = self->state_.lock();
          --state->batches_in_flight;
          for (const auto& file : batch->files) {
            if (status.ok()) {
              ++state->progress.files_done;
              state->progress.bytes_done += file.size;
            } else {  // one frame is missing: the files that do without it are fetched all the same
              state->files.push_back(file);
            }
          }
        }
        self->outcome(status);
        self->report();
        self->continue_later();
      });
}

void PublishedPrefetcher::fetch(const catalog::Entry& file) {
  if (file.size != catalog::kUnknownSize) return hydrate(file);
  core_->objects->measure(revision_, file, ctx_,
                          [self = shared_from_this()](Result<catalog::Entry> measured) {
                            if (!measured.ok()) return self->fetched(0, measured.error());
                            self->state_.lock()->progress.bytes_found += measured->size;
                            self->hydrate(*measured);
                          });
}

void PublishedPrefetcher::hydrate(const catalog::Entry& file) {
  core_->fetcher->hydrate(file, ctx_,
                          [self = shared_from_this(), size = file.size](const Status& status) {
                            self->fetched(size, status);
                          });
}

/// A file that was fetched alone.
void PublishedPrefetcher::fetched(std::uint64_t size, const Status& status) {
  {
    auto state = state_.lock();
    --state->files_in_flight;
    ++(status.ok() ? state->progress.files_done : state->progress.failures);
    if (status.ok()) state->progress.bytes_done += size;
  }
  outcome(status);
  report();
  continue_later();
}

/// Of one page, batch or file: gives up on origins that are down.
void PublishedPrefetcher::outcome(const Status& status) {
  {
    auto state = state_.lock();
    if (status.ok()) state->failures_in_a_row = 0;
    // Damaged bytes are an answer: the origin is there.
    if (status.ok() || !is_transient(status.error().code) || status.error().code == Code::corrupt) {
      return;
    }
    if (++state->failures_in_a_row < kGiveUpAfter) return;
  }
  finish(Error(status.error())
             .in("gave up after " + std::to_string(kGiveUpAfter) + " failures in a row"));
}

/// Answers that come inline must not deepen the stack with every entry: the loop goes on elsewhere.
void PublishedPrefetcher::continue_later() {
  const bool accepted = core_->on_worker([self = shared_from_this()] { self->advance(); });
  if (!accepted) finish(Error{Code::cancelled, "the volume is stopping"});
}

void PublishedPrefetcher::report() {
  PrefetchProgress now;
  {
    auto state = state_.lock();
    const auto time = core_->env.clock.now();
    if (!state->done || time - state->reported < kProgressEvery) return;
    state->reported = time;
    now = state->progress;
  }
  if (progress_) progress_(now);
}

void PublishedPrefetcher::finish(Result<PrefetchProgress> result) {
  Done done;
  {
    auto state = state_.lock();
    done = std::exchange(state->done, nullptr);
  }
  if (!done) return;
  if (result.ok() && progress_) progress_(*result);
  done(std::move(result));
}

}  // namespace lazyvol::volume
