#include "volume/published_refresher.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/log.h"
#include "volume/published_directory.h"
#include "volume/published_names.h"

namespace lazyvol::volume {
namespace {

constexpr std::chrono::milliseconds kTryAgain{1'000};

/// What asking again will not bring back.
bool is_lost(Code code) {
  return code == Code::io_error || code == Code::corrupt;
}

/// A size that was measured meanwhile is what was shown all along: one id has one content.
bool same_size(const catalog::Entry& a, const catalog::Entry& b) {
  return a.size == b.size || a.size == catalog::kUnknownSize || b.size == catalog::kUnknownSize;
}

/// As far as anybody sees.
bool same_node(const catalog::Entry& a, const catalog::Entry& b) {
  return a.mode == b.mode && a.uid == b.uid && a.gid == b.gid && a.nlink == b.nlink &&
         same_size(a, b) && a.mtime_ns == b.mtime_ns && a.symlink_target == b.symlink_target &&
         a.xattrs == b.xattrs;
}

}  // namespace

std::chrono::milliseconds next_look(std::chrono::milliseconds interval, double random) {
  const auto tenth = static_cast<double>(interval.count()) / 10;
  return interval + std::chrono::milliseconds(static_cast<std::int64_t>((2 * random - 1) * tenth));
}

bool add_change(const Revision& before, const Revision& after, const catalog::Change& change,
                TreeChanges& changes) {
  const auto& [was, is] = change;
  if (was && is && was->id == is->id && was->type == is->type) {
    if (same_node(*was, *is)) return false;
    changes.nodes.push_back(after.shown(is->id));
    return true;
  }
  const auto name_changed = [&changes](const Revision& revision, const catalog::Entry& entry) {
    // The volume's own root is not shown when a directory of it is mounted.
    if (entry.directory == kRootNode && revision.in_catalog(kRootNode) != kRootNode) return;
    changes.entries.emplace_back(revision.shown(entry.directory), entry.name);
    changes.nodes.push_back(revision.shown(entry.directory));
  };
  if (was) name_changed(before, *was);
  if (is && !(was && before.shown(was->directory) == after.shown(is->directory))) {
    name_changed(after, *is);
  }
  return true;
}

struct PublishedRefresher::Pass {
  Pass(PublishedHeads::Seen the_seen, std::shared_ptr<const Revision> the_old,
       std::shared_ptr<Revision> the_new, std::shared_ptr<Activity::Token> the_token)
      : seen(std::move(the_seen)),
        before(std::move(the_old)),
        after(std::move(the_new)),
        diff(before->head().roots.names, after->head().roots.names),
        token(std::move(the_token)) {}

  const PublishedHeads::Seen seen;
  const std::shared_ptr<const Revision> before;
  const std::shared_ptr<Revision> after;
  // One step at a time touches these.
  catalog::TreeDiff diff;
  TreeChanges changes;
  RefreshReport report;
  NodeId last_directory = 0;
  bool switched = false, finished = false;
  std::shared_ptr<Activity::Token> token;
};

RequestContext PublishedRefresher::context() const {
  RequestContext ctx;
  ctx.priority = Priority::metadata;
  ctx.cause = Cause::refresh;
  ctx.no_progress = core_->options.refresh_timeout;
  ctx.stop = core_->activity->stop_token();
  return ctx;
}

void PublishedRefresher::on_worker(std::function<void()> task) {
  if (!core_->on_worker(std::move(task)))
    complete(Error{Code::cancelled, "the volume is stopping"});
}

void PublishedRefresher::run(RequestContext ctx, Done done) {
  auto waiter = Waiter<RefreshReport>::make(ctx.stop, std::move(done));
  if (core_->trust->pinned()) return waiter->finish(RefreshReport{});
  {
    auto state = state_.lock();
    if (state->running) return state->later.push_back(std::move(waiter));
    state->waiters.push_back(std::move(waiter));
    state->running = true;
  }
  look();
}

void PublishedRefresher::look() {
  auto token = core_->activity->enter();
  if (!token) return complete(Error{Code::cancelled, "the volume is stopping"});
  heads_->look(context(), [self = shared_from_this(), token](Result<PublishedHeads::Found> found) {
    self->on_worker([self, token, found = std::move(found)]() mutable {
      self->looked(std::move(found), std::move(token));
    });
  });
}

void PublishedRefresher::schedule() {
  if (core_->options.refresh.count() == 0 || core_->trust->pinned()) return;
  double random = 0;
  {
    auto state = state_.lock();
    random = std::uniform_real_distribution<double>(0, 1)(state->random);
  }
  core_->env.timer.after(next_look(core_->options.refresh, random), [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->core_->activity->stop_token().stop_requested()) return;
    self->run({}, [self](const Result<RefreshReport>&) { self->schedule(); });
  });
}

void PublishedRefresher::looked(Result<PublishedHeads::Found> found,
                                std::shared_ptr<Activity::Token> token) {
  if (!found.ok()) return complete(found.error());
  const auto current = core_->current.get();
  if (*found && (*found)->head.document.digest != current->document().digest) {
    return begin(**std::move(found), std::move(token));
  }
  if (*found) heads_->used((*found)->origin, (*found)->validator);
  // What is shown goes on being shown after it expired, but is no longer said to be fresh.
  if (auto status = core_->trust->check_expiry(current->head()); !status.ok()) {
    return complete(status.error());
  }
  complete(RefreshReport{});
}

void PublishedRefresher::begin(PublishedHeads::Seen seen, std::shared_ptr<Activity::Token> token) {
  const auto before = core_->current.get();
  auto after =
      std::make_shared<Revision>(seen.head.document, core_->fetcher, before->switches() + 1);
  auto pass = std::make_shared<Pass>(std::move(seen), before, std::move(after), std::move(token));
  pass->after->locate(
      kRootNode, core_->options.subdir, context(),
      [self = shared_from_this(), pass](const Result<std::optional<catalog::Entry>>& found) {
        if (!found.ok()) return self->complete(found.error().in(self->core_->options.subdir));
        if (*found && (*found)->type != NodeType::directory) {
          return self->complete(
              Error{Code::not_directory, self->core_->options.subdir + ": not a directory"});
        }
        if (*found) pass->after->mount_directory((*found)->id);
        self->on_worker([self, pass] { self->compare(pass); });
      });
}

void PublishedRefresher::compare(const std::shared_ptr<Pass>& pass) {
  const catalog::RootDirectory& was = pass->before->head().root;
  const catalog::RootDirectory& is = pass->after->head().root;
  const bool moved = pass->before->in_catalog(kRootNode) != pass->after->in_catalog(kRootNode);
  const bool whole = pass->after->in_catalog(kRootNode) == kRootNode;
  if (moved || (whole && was != is)) pass->changes.nodes.push_back(kRootNode);
  step(pass);
}

/// Goes through the difference as far as pages are at hand.
void PublishedRefresher::step(const std::shared_ptr<Pass>& pass) {
  for (;;) {
    if (core_->activity->stop_token().stop_requested()) {
      return complete(Error{Code::cancelled, "the volume is stopping"});
    }
    auto next = pass->diff.next();
    if (!next.ok()) return page_failed(pass, next.error());
    if (const auto* wanted = std::get_if<catalog::TreeDiff::Wanted>(&*next)) {
      const auto page = core_->fetcher->frames().at_hand(wanted->frame, fetch::FrameUse::page);
      if (!page) return bring(pass, *wanted);
      if (auto status = pass->diff.supply(*page); !status.ok()) {
        return page_failed(pass, status.error());
      }
      continue;
    }
    const auto* change = std::get_if<catalog::Change>(&*next);
    if (change == nullptr) {
      pass->finished = true;
      return pass->switched ? tell(pass) : switch_over(pass);
    }
    if (!add_change(*pass->before, *pass->after, *change, pass->changes)) continue;
    ++pass->report.entries_changed;
    const NodeId directory = (change->after ? *change->after : *change->before).directory;
    if (std::exchange(pass->last_directory, directory) != directory) {
      ++pass->report.directories_checked;
    }
    const std::size_t limit = pass->switched ? kPart : kMaxCollected;
    if (pass->changes.entries.size() + pass->changes.nodes.size() < limit) continue;
    return pass->switched ? tell(pass) : switch_over(pass);
  }
}

/// Fetches a page, and those that will be wanted soon along with it.
void PublishedRefresher::bring(const std::shared_ptr<Pass>& pass,
                               const catalog::TreeDiff::Wanted& wanted) {
  auto& frames = core_->fetcher->frames();
  if (auto soon = pass->diff.upcoming(kPagesAtOnce); soon.size() > 1) {
    frames.want(std::move(soon), fetch::FrameUse::page, context(), nullptr);
  }
  frames.get(
      wanted.frame, fetch::FrameUse::page, context(),
      [self = shared_from_this(), pass, old = wanted.before](Result<fetch::FrameBytes> page) {
        self->on_worker([self, pass, old, page = std::move(page)] {
          if (!page.ok() && old && is_lost(page.error().code) && !pass->switched) {
            return self->switch_uncompared(pass, page.error());
          }
          if (!page.ok()) return self->page_failed(pass, page.error());
          if (auto status = pass->diff.supply(**page); !status.ok()) {
            return self->page_failed(pass, status.error());
          }
          self->step(pass);
        });
      });
}

/// No origin has a page of the revision that is shown any more (gc, after a long time offline), so
/// it cannot be compared. The kernel forgets all of it: a directory takes all below it along.
void PublishedRefresher::switch_uncompared(const std::shared_ptr<Pass>& pass, const Error& why) {
  base::log_warn("refresh: revision {} is lost, so {} is shown without a comparison: {}",
                 pass->before->head().sequence, pass->after->head().sequence, why.message);
  const auto root_of = [this](const std::shared_ptr<const Revision>& revision) {
    const NodeId root = revision->in_catalog(kRootNode);
    return std::make_shared<PublishedDirectory>(core_, revision, root, root);
  };
  const auto after = [self = shared_from_this(), pass](CollectedNames before,
                                                       const CollectedNames& now) {
    if (!now.status.ok()) return self->complete(Status(now.status).error());
    pass->report = {0, now.names.size(), 0};
    before.names.insert(before.names.end(), now.names.begin(), now.names.end());
    std::sort(before.names.begin(), before.names.end());
    before.names.erase(std::unique(before.names.begin(), before.names.end()), before.names.end());
    pass->changes = {};
    for (auto& name : before.names) pass->changes.entries.emplace_back(kRootNode, std::move(name));
    pass->changes.nodes.push_back(kRootNode);
    pass->finished = true;
    self->on_worker([self, pass] { self->switch_over(pass); });
  };
  collect_names(root_of(pass->before), context(),
                [self = shared_from_this(), pass, root_of, after](const CollectedNames& before) {
                  collect_names(root_of(pass->after), self->context(),
                                [before, after](const CollectedNames& now) { after(before, now); });
                });
}

/// Before the switch a failure leaves all as it is. After it the kernel still has to be told the
/// rest, so the page is asked for until it comes.
void PublishedRefresher::page_failed(const std::shared_ptr<Pass>& pass, const Error& error) {
  if (!pass->switched || error.code == Code::cancelled) return complete(error);
  base::log_warn("refresh: revision {} is shown, and what changed is not known yet: {}",
                 pass->after->head().sequence, error.message);
  core_->env.timer.after(kTryAgain, [self = shared_from_this(), pass] {
    self->on_worker([self, pass] { self->step(pass); });
  });
}

void PublishedRefresher::switch_over(const std::shared_ptr<Pass>& pass) {
  core_->trust->use(pass->seen.head);
  heads_->used(pass->seen.origin, pass->seen.validator);
  pass->switched = true;
  ++core_->counters.switches;
  base::log_info("{}: revision {} after {}", core_->origins.front()->traits().display,
                 pass->after->head().sequence, pass->before->head().sequence);
  core_->current.replace(pass->after, [self = shared_from_this(), pass] {
    self->on_worker([self, pass] { self->tell(pass); });
  });
}

void PublishedRefresher::tell(const std::shared_ptr<Pass>& pass) {
  TreeChanges changes = std::exchange(pass->changes, {});
  auto& nodes = changes.nodes;
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  // Part by part; and who asked for the refresh is answered when the new revision is what all see.
  core_->notifier.post(std::move(changes), [self = shared_from_this(), pass] {
    self->on_worker(
        [self, pass] { return pass->finished ? self->complete(pass->report) : self->step(pass); });
  });
}

void PublishedRefresher::complete(Result<RefreshReport> result) {
  Waiters waiters;
  bool again = false, news = false;
  {
    auto state = state_.lock();
    waiters.swap(state->waiters);
    state->waiters.swap(state->later);
    again = state->running = !state->waiters.empty();
    std::string error = result.ok() ? std::string() : result.error().message;
    news = error != state->error;
    state->error = std::move(error);
  }
  if (result.ok()) {
    ++core_->counters.refreshes;
  } else if (result.error().code != Code::cancelled) {
    ++core_->counters.refresh_failures;
    if (news)
      base::log_warn("refresh of {}: {}", core_->origins.front()->traits().display,
                     result.error().message);
  }
  for (const auto& waiter : waiters) waiter->finish(result);
  if (again) look();
}

void PublishedRefresher::cancel_waiters() {
  Waiters waiters, later;
  {
    auto state = state_.lock();
    waiters.swap(state->waiters);
    later.swap(state->later);
  }
  for (const auto* list : {&waiters, &later}) {
    for (const auto& waiter : *list) {
      waiter->finish(Error{Code::cancelled, "the volume is stopping"});
    }
  }
}

}  // namespace lazyvol::volume
