#include "volume/listings.h"

#include <utility>

#include "base/log.h"
#include "volume/source_callback.h"

namespace lazyvol::volume {

bool Listings::backing_off(NodeId directory) const {
  if (core_->origin_down()) return true;
  auto state = state_.lock();
  const auto it = state->failing.find(directory);
  return it != state->failing.end() && it->second.down(core_->env.clock.now());
}

std::chrono::milliseconds Listings::left_of(const cache::DirectoryHeader& header) const {
  return time_left(header.listed_wall_ns, core_->env.clock.wall_ns(), core_->options.metadata_ttl);
}

void Listings::ensure(NodeId directory, const RequestContext& ctx, Done done) {
  const auto header = core_->tree.header(directory);
  if (!header.ok()) return done(header.error());
  if (*header) {
    const auto left = left_of(**header);
    if (left.count() > 0) return done(Freshness{.left = left});
    if (backing_off(directory)) {
      ++core_->counters.stale_served;
      return done(Freshness{.left = core_->view.short_ttl(), .stale = true});
    }
  }
  join(directory, ctx, false, std::move(done));
}

void Listings::relist(NodeId directory, const RequestContext& ctx, Done done) {
  join(directory, ctx, true, std::move(done));
}

void Listings::join(NodeId directory, const RequestContext& ctx, bool begin_later, Done done) {
  auto waiter = Waiter<Freshness>::make(ctx.stop, std::move(done));
  std::shared_ptr<Flight> flight;
  {
    auto state = state_.lock();
    auto& slot = state->flights[directory];
    if (slot) {
      (begin_later ? slot->next : slot->waiters).push_back(std::move(waiter));
      return;
    }
    slot = flight = std::make_shared<Flight>();
    flight->directory = directory;
    flight->ctx = ctx;
    flight->waiters.push_back(std::move(waiter));
  }
  // Another flight may have landed since somebody looked.
  const auto header = core_->tree.header(directory);
  if (!begin_later && header.ok() && *header && left_of(**header).count() > 0) {
    return complete(flight, Freshness{.left = left_of(**header)});
  }
  start(flight);
}

void Listings::start(const std::shared_ptr<Flight>& flight) {
  flight->token = core_->activity->enter();
  if (!flight->token) return complete(flight, Error{Code::cancelled, "the volume is stopping"});
  const auto header = core_->tree.header(flight->directory);
  if (!header.ok()) return complete(flight, header.error());
  auto path = core_->tree.path_of(flight->directory);
  if (!path.ok()) return complete(flight, path.error());
  flight->have_old = header->has_value();
  flight->asked_wall_ns = core_->env.clock.wall_ns();
  ++core_->counters.lists;
  auto done = [self = shared_from_this(), flight](Result<Listing> listing) {
    auto moved = std::make_shared<Result<Listing>>(std::move(listing));
    const bool handed_over =
        self->core_->on_worker([self, flight, moved] { self->arrived(flight, std::move(*moved)); });
    if (!handed_over) {
      self->complete(flight, Error{Code::cancelled, "the volume is stopping"});
    }
  };
  core_->source->list(*std::move(path), flight->have_old ? (*header)->validator : "",
                      core_->shared_context(flight->ctx, flight->have_old),
                      source_callback<Listing>(flight->token, std::move(done)));
}

void Listings::arrived(const std::shared_ptr<Flight>& flight, Result<Listing> listing) {
  if (!listing.ok()) return failed(flight, listing.error());
  core_->origin_answered();
  state_.lock()->failing.erase(flight->directory);
  if (listing->not_modified) ++core_->counters.not_modified;
  auto changes = core_->tree.apply_listing(flight->directory, *listing, flight->asked_wall_ns);
  if (!changes.ok()) return complete(flight, changes.error());
  const std::uint64_t count = changes->entries.size() + changes->nodes.size();
  core_->notifier.post(*std::move(changes));
  complete(flight, Freshness{.left = time_left(flight->asked_wall_ns, core_->env.clock.wall_ns(),
                                               core_->options.metadata_ttl),
                             .asked = true,
                             .changes = count});
}

void Listings::failed(const std::shared_ptr<Flight>& flight, const Error& error) {
  if (error.code == Code::cancelled) return complete(flight, error);
  if (error.code == Code::not_found || error.code == Code::not_directory) {
    if (flight->directory != kRootNode) return confirm_absence(flight, error);
    return fall_back(flight, error);  // an origin without a root is a broken one, not an empty one
  }
  if (!may_serve_old(error.code)) {
    core_->origin_answered();
    ++core_->counters.failures;
    return complete(flight, error);
  }
  core_->origin_failed(error);
  fall_back(flight, error);
}

void Listings::confirm_absence(const std::shared_ptr<Flight>& flight, const Error& error) {
  const auto at = core_->tree.place(flight->directory);
  if (!at.ok()) return complete(flight, at.error());
  const auto settle = [self = shared_from_this(), flight, error](const Result<Freshness>& parent) {
    if (!self->still_there(flight->directory)) {
      return self->complete(flight, Error{Code::stale, error.message});
    }
    if (!parent.ok()) return self->fall_back(flight, parent.error());
    if (parent->reason) return self->fall_back(flight, *parent->reason);
    self->fall_back(flight, {Code::io_error, error.message + " (but its parent lists it)"});
  };
  if (!*at) return settle(Freshness{});
  const auto entry = core_->tree.find((*at)->parent, (*at)->name);
  if (entry.ok() && *entry && !(*entry)->remote.listed) {
    // Its parent's listing leaves it out in any case: the answer stands for itself.
    auto changes = core_->tree.disown((*at)->parent, (*at)->name);
    if (changes.ok()) core_->notifier.post(*std::move(changes));
    return settle(Freshness{});
  }
  RequestContext ctx = flight->ctx;
  ctx.stop = core_->activity->stop_token();
  relist((*at)->parent, ctx, settle);
}

bool Listings::still_there(NodeId directory) {
  const auto at = core_->tree.place(directory);
  if (!at.ok()) return true;  // not proved
  if (!*at) return false;
  const auto entry = core_->tree.find((*at)->parent, (*at)->name);
  return !entry.ok() || (*entry && (*entry)->id == directory);
}

void Listings::fall_back(const std::shared_ptr<Flight>& flight, const Error& error) {
  bool first = false;  // since it last worked
  {
    auto state = state_.lock();
    first = !state->failing.contains(flight->directory);
    if (state->failing.size() >= kMaxFailing) state->failing.erase(state->failing.begin());
    state->failing[flight->directory].failed(core_->env.clock.now(), error.retry_after);
  }
  if (!flight->have_old || first) {
    const auto path = core_->tree.path_of(flight->directory);
    base::log_warn("{}: cannot list /{}{}: {}", core_->content_source, path.ok() ? *path : "",
                   flight->have_old ? ", what was known before is served" : "", error.message);
  }
  if (!flight->have_old) return complete(flight, error);
  ++core_->counters.stale_served;
  complete(flight, Freshness{.left = core_->view.short_ttl(), .stale = true, .reason = error});
}

void Listings::complete(const std::shared_ptr<Flight>& flight, const Result<Freshness>& outcome) {
  std::vector<std::shared_ptr<Waiter<Freshness>>> answered;
  bool again = false;
  {
    auto state = state_.lock();
    answered.swap(flight->waiters);
    again = !flight->next.empty();
    if (again) {
      flight->waiters.swap(flight->next);
    } else if (const auto it = state->flights.find(flight->directory);
               it != state->flights.end() && it->second == flight) {
      state->flights.erase(it);
    }
  }
  const auto token = std::exchange(flight->token, nullptr);  // until all callbacks returned
  if (again) start(flight);
  for (const auto& waiter : answered) waiter->finish(outcome);
}

void Listings::cancel_waiters() {
  std::vector<std::shared_ptr<Waiter<Freshness>>> waiters;
  {
    auto state = state_.lock();
    for (auto& [id, flight] : state->flights) {
      for (auto* list : {&flight->waiters, &flight->next}) {
        waiters.insert(waiters.end(), list->begin(), list->end());
        list->clear();
      }
    }
  }
  for (const auto& waiter : waiters)
    waiter->finish(Error{Code::cancelled, "the volume is stopping"});
}

}  // namespace lazyvol::volume
