#include "volume/prefetcher.h"

#include <algorithm>
#include <utility>

#include "volume/live_content.h"

namespace lazyvol::volume {

namespace {

/// An origin that fails so often in a row is down: the rest would wait for a deadline each.
constexpr unsigned kGiveUpAfter = 16;

}  // namespace

struct Prefetcher::Step {
  enum class Kind { wait, finished, list, know, want } kind = Kind::wait;
  NodeId directory = 0;
  cache::StoredEntry entry;
  std::shared_ptr<FileLeft> file;
  std::uint64_t begin = 0, end = 0;
};

void Prefetcher::run(Parts parts, std::string path, RequestContext ctx, Progress progress,
                     Done done) {
  ctx.priority = Priority::hydrate;
  ctx.cause = Cause::prefetch;
  auto self = std::shared_ptr<Prefetcher>(
      new Prefetcher(std::move(parts), std::move(ctx), std::move(progress)));
  self->state_.lock()->done = std::move(done);
  self->token_ = self->parts_.core->activity->enter();
  if (!self->token_) return self->finish(Error{Code::cancelled, "the volume is stopping"});
  self->descend(kRootNode, std::move(path));
}

bool Prefetcher::stopped() const {
  return ctx_.stop.stop_requested() || parts_.core->activity->stop_token().stop_requested();
}

/// Follows `rest` down from `directory`, asking the origin where needed, then begins the walk.
void Prefetcher::descend(NodeId directory, std::string rest) {
  if (rest.empty()) {
    state_.lock()->directories.push_back(directory);
    return advance();
  }
  const auto slash = rest.find('/');
  auto name = rest.substr(0, slash);
  rest.erase(0, slash == std::string::npos ? slash : slash + 1);
  parts_.listings->ensure(
      directory, ctx_,
      [self = shared_from_this(), directory, name, rest](const Result<Freshness>& fresh) {
        if (!fresh.ok()) return self->finish(fresh.error());
        const auto entry = self->parts_.core->tree.find(directory, name);
        if (!entry.ok()) return self->finish(entry.error());
        if (!*entry) return self->finish(Error{Code::not_found, name + ": no such entry"});
        if ((*entry)->remote.type == NodeType::directory) return self->descend((*entry)->id, rest);
        if (!rest.empty())
          return self->finish(Error{Code::not_directory, name + ": not a directory"});
        self->state_.lock()->open.push_back({directory, {**entry}, 0});
        self->advance();
      });
}

/// What to do next: bytes first, then the entry at hand, then the next directory.
Prefetcher::Step Prefetcher::next_step(State& state) {
  if (!stopped() && state.pieces < kPiecesAtOnce && !state.files.empty()) {
    auto file = state.files.front();
    const std::uint64_t begin = file->next;
    file->next = std::min(begin + kPieceBytes, file->content->ref().size);
    ++file->in_flight;
    ++state.pieces;
    if (file->next == file->content->ref().size) state.files.pop_front();
    return {Step::Kind::want, 0, {}, file, begin, file->next};
  }
  if (!stopped() && state.questions < kQuestionsAtOnce && state.files.size() < kPiecesAtOnce) {
    while (!state.open.empty()) {
      Open& top = state.open.back();
      if (top.next == top.entries.size()) {
        state.open.pop_back();
        continue;
      }
      auto& entry = top.entries[top.next++];
      if (entry.remote.type == NodeType::directory) state.directories.push_back(entry.id);
      if (entry.remote.type != NodeType::file) continue;
      ++state.questions;
      return {Step::Kind::know, top.id, std::move(entry), nullptr, 0, 0};
    }
    if (!state.directories.empty()) {
      const NodeId next = state.directories.back();
      state.directories.pop_back();
      ++state.questions;
      return {Step::Kind::list, next, {}, nullptr, 0, 0};
    }
  }
  const bool busy = state.questions > 0 || state.pieces > 0;
  return {busy ? Step::Kind::wait : Step::Kind::finished, 0, {}, nullptr, 0, 0};
}

void Prefetcher::advance() {
  for (;;) {
    Step step;
    {
      auto state = state_.lock();
      if (!state->done) return;
      step = next_step(*state);
    }
    if (step.kind == Step::Kind::wait) return;
    if (step.kind == Step::Kind::finished) break;
    take(std::move(step));
  }
  if (stopped()) return finish(Error{Code::cancelled, "the prefetch was stopped"});
  PrefetchProgress last = state_.lock()->progress;
  last.finished = true;
  finish(last);
}

void Prefetcher::take(Step step) {
  switch (step.kind) {
    case Step::Kind::list:
      return list(step.directory);
    case Step::Kind::know:
      return know(step.directory, step.entry);
    case Step::Kind::want:
      return want(step.file, step.begin, step.end);
    case Step::Kind::wait:
    case Step::Kind::finished:
      return;
  }
}

/// Of one question or piece: gives up on an origin that is down. Questions about what is known
/// already succeed while no piece comes, so the two are counted apart.
void Prefetcher::outcome(const Status& status, unsigned State::*failures) {
  {
    auto state = state_.lock();
    unsigned& in_a_row = (*state).*failures;
    if (status.ok()) in_a_row = 0;
    if (status.ok() || !is_transient(status.error().code)) return;
    if (++in_a_row < kGiveUpAfter) return;
  }
  finish(status.error().in("gave up after " + std::to_string(kGiveUpAfter) + " failures in a row"));
}

void Prefetcher::list(NodeId directory) {
  parts_.listings->ensure(
      directory, ctx_, [self = shared_from_this(), directory](const Result<Freshness>& fresh) {
        auto entries = fresh.ok() ? self->parts_.core->tree.entries(directory)
                                  : Result<std::vector<cache::StoredEntry>>(fresh.error());
        {
          auto state = self->state_.lock();
          --state->questions;
          if (entries.ok()) {
            state->open.push_back({directory, std::move(*entries), 0});
          } else {
            ++state->progress.failures;
          }
        }
        self->outcome(fresh.ok() ? Status() : Status(fresh.error()), &State::failed_questions);
        self->continue_later();
      });
}

void Prefetcher::know(NodeId parent, const cache::StoredEntry& entry) {
  parts_.entry_stats->ensure(
      parent, entry, ctx_, [self = shared_from_this(), parent](const Result<KnownEntry>& known) {
        if (known.ok() && known->entry.remote.type == NodeType::file) {
          self->add_file(parent, known->entry);
        } else if (!known.ok() && known.error().code != Code::not_found) {
          ++self->state_.lock()->progress.failures;
        }
        --self->state_.lock()->questions;
        self->outcome(known.ok() ? Status() : Status(known.error()), &State::failed_questions);
        self->continue_later();
      });
}

void Prefetcher::add_file(NodeId parent, const cache::StoredEntry& entry) {
  auto ref = live_content(*parts_.core, parent, entry.remote);
  if (!ref.ok()) {
    ++state_.lock()->progress.failures;
    return;
  }
  const std::uint64_t size = ref->size;
  auto file = std::make_shared<FileLeft>();
  if (size > 0) file->content = parts_.fetcher->open(*std::move(ref));
  auto state = state_.lock();
  ++state->progress.files_found;
  state->progress.bytes_found += size;
  if (size > 0) {
    state->files.push_back(std::move(file));
  } else {
    ++state->progress.files_done;
  }
}

void Prefetcher::want(const std::shared_ptr<FileLeft>& file, std::uint64_t begin,
                      std::uint64_t end) {
  const bool here = file->content->has(begin, end);  // its success says nothing of the origin
  file->content->want(
      begin, end, ctx_, [self = shared_from_this(), file, begin, end, here](const Status& status) {
        {
          auto state = self->state_.lock();
          --state->pieces;
          --file->in_flight;
          if (status.ok()) {
            state->progress.bytes_done += end - begin;
          } else {
            file->failed = true;
          }
          if (file->in_flight == 0 && file->next == file->content->ref().size) {
            ++(file->failed ? state->progress.failures : state->progress.files_done);
          }
        }
        if (!here || !status.ok()) self->outcome(status, &State::failed_pieces);
        self->report();
        self->continue_later();
      });
}

/// Answers that come inline must not deepen the stack with every entry: the loop goes on elsewhere.
void Prefetcher::continue_later() {
  const bool accepted = parts_.core->on_worker([self = shared_from_this()] { self->advance(); });
  if (!accepted) finish(Error{Code::cancelled, "the volume is stopping"});
}

void Prefetcher::report() {
  PrefetchProgress now;
  {
    auto state = state_.lock();
    const auto time = parts_.core->env.clock.now();
    if (!state->done || time - state->reported < kProgressEvery) return;
    state->reported = time;
    now = state->progress;
  }
  if (progress_) progress_(now);
}

void Prefetcher::finish(Result<PrefetchProgress> result) {
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
