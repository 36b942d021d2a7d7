#include "volume/listing_ahead.h"

#include <algorithm>
#include <utility>

#include "volume/walk_order.h"

namespace lazyvol::volume {

/// The walk that an opened directory belongs to, as it stands then; the end when there is none yet.
ListingAhead::Walks::iterator ListingAhead::walk_of(Walks& walks, NodeId id, NodeId parent,
                                                    const std::string& name, bool asked) {
  auto walk = std::find_if(walks.begin(), walks.end(),
                           [&](const Walk& one) { return one.ahead.contains(id); });
  if (walk != walks.end()) {
    walk->ahead.erase(id);
    walk->last = id;
    walk->window = std::min(walk->window + 1, kMost);
    return walk;
  }
  if (!asked) return walk;
  walk = std::find_if(walks.begin(), walks.end(), [&](const Walk& one) {
    return comes_soon_after(core_->tree, one.last, parent, name);
  });
  if (walk == walks.end()) return walk;
  walk->last = id;
  ++walk->opens;
  // It begins here, or was somewhere else than it was thought to be.
  walk->items = {{id, true, 0}};
  walk->ahead.clear();
  walk->top = id;
  return walk;
}

void ListingAhead::opened(NodeId id, NodeId parent, const std::string& name, bool asked) {
  std::vector<NodeId> wanted;
  std::uint64_t number = 0;
  {
    const auto state = state_.lock();
    auto& walks = state->walks;
    const auto walk = walk_of(walks, id, parent, name, asked);
    if (walk == walks.end()) {
      if (!asked) return;
      walks.emplace_front();
      walks.front().number = ++state->made;
      walks.front().last = id;
      if (walks.size() > kWalks) walks.pop_back();
      return;
    }
    walks.splice(walks.begin(), walks, walk);
    if (walk->opens < kConfirmed) return;
    number = walk->number;
    wanted = go_on(*walk);
  }
  list(number, wanted);
}

/// Takes the next directories in the walk's order until so many are ahead of it.
std::vector<NodeId> ListingAhead::go_on(Walk& walk) {
  std::vector<NodeId> taken;
  for (auto item = walk.items.begin(); walk.ahead.size() < walk.window;) {
    if (item == walk.items.end()) {
      if (!climb(walk)) break;
      item = std::prev(walk.items.end());
    }
    if (!item->listed) {
      ++item;
      continue;
    }
    const auto next = next_directory(*item);
    if (!next) {
      item = walk.items.erase(item);
      continue;
    }
    walk.items.insert(item, {*next, false, 0});
    walk.ahead.insert(*next);
    taken.push_back(*next);
  }
  return taken;
}

std::optional<NodeId> ListingAhead::next_directory(Item& item) {
  constexpr std::size_t kFirstLook = 8, kMostLooks = 4096;
  std::size_t looked = 0;
  for (std::size_t look = kFirstLook; looked < kMostLooks; look *= 2) {
    const auto entries = core_->tree.slice(item.directory, item.next, item.next + look);
    if (entries.empty()) return std::nullopt;
    for (const auto& entry : entries) {
      ++item.next;
      if (entry.remote.type == NodeType::directory) return entry.id;
    }
    looked += entries.size();
  }
  return std::nullopt;
}

/// Appends what follows the subtree that was walked last.
bool ListingAhead::climb(Walk& walk) {
  if (walk.top == kRootNode) return false;
  const auto place = core_->tree.place(walk.top);
  if (!place.ok() || !*place) return false;
  const auto position = core_->tree.position((*place)->parent, (*place)->name);
  if (!position) return false;
  walk.items.push_back({(*place)->parent, true, *position + 1});
  walk.top = (*place)->parent;
  return true;
}

void ListingAhead::list(std::uint64_t walk, const std::vector<NodeId>& directories) {
  RequestContext ctx = core_->shared_context({}, false);
  ctx.priority = Priority::readahead;
  ctx.cause = Cause::readahead;
  for (const NodeId directory : directories) {
    const auto token = core_->activity->enter();
    if (!token) return;
    listings_->ensure(
        directory, ctx,
        [self = shared_from_this(), walk, directory, token](const Result<Freshness>& fresh) {
          self->listed(walk, directory, fresh.ok());
        });
  }
}

void ListingAhead::listed(std::uint64_t walk, NodeId directory, bool ok) {
  std::vector<NodeId> wanted;
  {
    const auto state = state_.lock();
    const auto found = std::find_if(state->walks.begin(), state->walks.end(),
                                    [&](const Walk& one) { return one.number == walk; });
    if (found == state->walks.end()) return;
    const auto item = std::find_if(found->items.begin(), found->items.end(), [&](const Item& one) {
      return !one.listed && one.directory == directory;
    });
    if (item == found->items.end()) return;
    if (ok) {
      item->listed = true;
    } else {
      found->items.erase(item);
    }
    wanted = go_on(*found);
  }
  list(walk, wanted);
}

}  // namespace lazyvol::volume
