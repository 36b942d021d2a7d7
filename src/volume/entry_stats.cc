#include "volume/entry_stats.h"

#include <utility>

#include "volume/source_callback.h"

namespace lazyvol::volume {

void EntryStats::ensure(NodeId parent, const cache::StoredEntry& entry, const RequestContext& ctx,
                        Done done) {
  const auto knowledge =
      knowledge_of(entry, core_->env.clock.wall_ns(), core_->options.metadata_ttl);
  const bool from_stat = entry.stat_wall_ns > kStatInDoubt;
  if (knowledge == Knowledge::known) {
    if (from_stat) ask_ahead(parent, entry);
    return done(KnownEntry{entry});
  }
  if (knowledge == Knowledge::missing) {
    return done(Error{Code::not_found, entry.remote.name + ": listed, but not there"});
  }
  if (is_exact(entry) && core_->origin_down()) {
    ++core_->counters.stale_served;
    return done(KnownEntry{entry, true});
  }
  join({parent, entry.remote.name}, ctx, Waiter<KnownEntry>::make(ctx.stop, std::move(done)));
  ask_ahead(parent, entry);
}

void EntryStats::ensure_hidden(NodeId parent, const std::string& name, const RequestContext& ctx,
                               Done done) {
  if (!may_hide(parent, name)) return done(Error{Code::not_found, name + ": no such entry"});
  if (core_->origin_down()) {
    return done(Error{Code::unreachable, name + ": the origin cannot be asked whether it exists"});
  }
  ask(parent, name, ctx, std::move(done));
}

void EntryStats::ask(NodeId parent, const std::string& name, const RequestContext& ctx, Done done) {
  join({parent, name}, ctx, Waiter<KnownEntry>::make(ctx.stop, std::move(done)));
}

void EntryStats::ask_ahead(NodeId parent, const cache::StoredEntry& entry) {
  const auto position = core_->tree.position(parent, entry.remote.name);
  if (!position || core_->origin_down()) return;
  std::optional<Span> span;
  {
    auto state = state_.lock();
    if (state->readers.size() >= kMaxReaders && !state->readers.contains(parent)) {
      state->readers.erase(state->readers.begin());
    }
    span = state->readers[parent].on_demand(*position);
  }
  if (!span) return;
  RequestContext ctx;
  ctx.priority = Priority::metadata;
  ctx.cause = Cause::lookup;
  const auto now = core_->env.clock.wall_ns();
  for (const auto& next : core_->tree.slice(parent, span->begin, span->end)) {
    if (knowledge_of(next, now, core_->options.metadata_ttl) != Knowledge::ask) continue;
    join({parent, next.remote.name}, ctx, nullptr);
  }
}

void EntryStats::join(const Key& key, const RequestContext& ctx,
                      std::shared_ptr<Waiter<KnownEntry>> waiter) {
  std::shared_ptr<Flight> flight;
  {
    auto state = state_.lock();
    auto& slot = state->flights[key];
    if (slot) {
      if (waiter) slot->waiters.push_back(std::move(waiter));
      return;
    }
    slot = flight = std::make_shared<Flight>();
    flight->key = key;
    flight->ctx = ctx;
    if (waiter) flight->waiters.push_back(std::move(waiter));
  }
  start(flight);
}

void EntryStats::start(const std::shared_ptr<Flight>& flight) {
  if (!flight->token) flight->token = core_->activity->enter();
  if (!flight->token) return complete(flight, Error{Code::cancelled, "the volume is stopping"});
  const auto& [parent, name] = flight->key;
  auto path = core_->tree.path_of(parent, name);
  if (!path.ok()) return complete(flight, path.error());
  auto before = core_->tree.find(parent, name);
  if (!before.ok()) return complete(flight, before.error());
  if (*before) {
    flight->before = **std::move(before);
    flight->hidden = false;
  } else if (may_hide(parent, name) && !flight->confirmed) {
    flight->before.remote.name = name;
    flight->hidden = true;
  } else {
    return complete(flight, Error{Code::not_found, name + ": no such entry"});
  }
  flight->asked_wall_ns = core_->env.clock.wall_ns();
  ++core_->counters.stats;
  auto done = [self = shared_from_this(), flight](Result<RemoteEntry> answer) {
    const bool handed_over = self->core_->on_worker(
        [self, flight, answer = std::move(answer)] { self->arrived(flight, answer); });
    if (!handed_over) {
      self->complete(flight, Error{Code::cancelled, "the volume is stopping"});
    }
  };
  core_->source->stat(*std::move(path),
                      core_->shared_context(flight->ctx, is_exact(flight->before)),
                      source_callback<RemoteEntry>(flight->token, std::move(done)));
}

void EntryStats::arrived(const std::shared_ptr<Flight>& flight, Result<RemoteEntry> answer) {
  const auto& [parent, name] = flight->key;
  if (answer.ok() && !is_exact({*answer, 0, 0})) {
    answer = Error{Code::io_error, name + ": the origin tells neither size nor version"};
  }
  if (answer.ok()) return described(flight, *answer);
  const Error& error = answer.error();
  if (error.code == Code::not_found || error.code == Code::not_directory) {
    return missing(flight, error);
  }
  if (!may_serve_old(error.code)) {
    if (error.code != Code::cancelled) {
      core_->origin_answered();
      ++core_->counters.failures;
    }
    return complete(flight, error);
  }
  core_->origin_failed(error);
  if (!is_exact(flight->before)) return complete(flight, error);
  ++core_->counters.stale_served;
  complete(flight, KnownEntry{flight->before, true});
}

void EntryStats::described(const std::shared_ptr<Flight>& flight, const RemoteEntry& answer) {
  const auto& [parent, name] = flight->key;
  core_->origin_answered();
  if (flight->hidden) {
    RemoteEntry found = answer;
    found.name = name;
    auto entry = core_->tree.adopt(parent, std::move(found), flight->asked_wall_ns);
    if (!entry.ok()) return complete(flight, entry.error());
    return complete(flight, KnownEntry{*std::move(entry)});
  }
  auto applied = core_->tree.apply_stat(parent, name, answer, flight->asked_wall_ns,
                                        flight->before.remote.token);
  if (!applied.ok()) return complete(flight, applied.error());
  core_->notifier.post(std::move(applied->changes));
  complete(flight, KnownEntry{std::move(applied->entry)});
}

bool EntryStats::may_hide(NodeId parent, const std::string& name) {
  if (!name.starts_with('.')) return false;
  const auto header = core_->tree.header(parent);
  return header.ok() && *header && (*header)->hides_dot_names;
}

void EntryStats::missing(const std::shared_ptr<Flight>& flight, const Error& error) {
  const auto& [parent, name] = flight->key;
  core_->origin_answered();
  if (flight->hidden) return complete(flight, Error{Code::not_found, error.message});
  if (!flight->before.remote.listed) {  // no listing could confirm it
    auto changes = core_->tree.disown(parent, name);
    if (!changes.ok()) return complete(flight, changes.error());
    core_->notifier.post(*std::move(changes));
    return complete(flight, Error{Code::not_found, error.message});
  }
  if (flight->confirmed) {  // listed still, and still not there: a dangling name
    if (auto marked = core_->tree.mark_missing(parent, name, flight->asked_wall_ns);
        !marked.ok() && marked.error().code != Code::not_found) {
      return complete(flight, marked.error());
    }
    return complete(flight, Error{Code::not_found, error.message});
  }
  flight->confirmed = true;
  RequestContext ctx = flight->ctx;
  ctx.stop = core_->activity->stop_token();
  listings_->relist(parent, ctx, [self = shared_from_this(), flight](const Result<Freshness>& f) {
    if (!f.ok()) return self->complete(flight, f.error());
    if (f->reason) return self->complete(flight, *f->reason);
    self->start(flight);  // gone from the listing: not_found; still there: asked once more
  });
}

void EntryStats::complete(const std::shared_ptr<Flight>& flight,
                          const Result<KnownEntry>& outcome) {
  std::vector<std::shared_ptr<Waiter<KnownEntry>>> answered;
  {
    auto state = state_.lock();
    answered.swap(flight->waiters);
    if (const auto it = state->flights.find(flight->key);
        it != state->flights.end() && it->second == flight) {
      state->flights.erase(it);
    }
  }
  const auto token = std::exchange(flight->token, nullptr);  // until all callbacks returned
  for (const auto& waiter : answered) waiter->finish(outcome);
}

void EntryStats::cancel_waiters() {
  std::vector<std::shared_ptr<Waiter<KnownEntry>>> waiters;
  {
    auto state = state_.lock();
    for (auto& [key, flight] : state->flights) {
      waiters.insert(waiters.end(), flight->waiters.begin(), flight->waiters.end());
      flight->waiters.clear();
    }
  }
  for (const auto& waiter : waiters)
    waiter->finish(Error{Code::cancelled, "the volume is stopping"});
}

}  // namespace lazyvol::volume
