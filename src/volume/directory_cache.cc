#include "volume/directory_cache.h"

#include <algorithm>

namespace lazyvol::volume {
namespace {

auto lower_bound(std::vector<cache::StoredEntry>& entries, std::string_view name) {
  return std::lower_bound(
      entries.begin(), entries.end(), name,
      [](const auto& entry, std::string_view n) { return entry.remote.name < n; });
}

}  // namespace

std::optional<cache::StoredEntry> DecodedDirectory::find(std::string_view name) const {
  auto state = state_.lock();
  const auto it = lower_bound(state->entries, name);
  if (it == state->entries.end() || it->remote.name != name) return std::nullopt;
  return *it;
}

std::optional<std::size_t> DecodedDirectory::position(std::string_view name) const {
  auto state = state_.lock();
  const auto it = lower_bound(state->entries, name);
  if (it == state->entries.end() || it->remote.name != name) return std::nullopt;
  return static_cast<std::size_t>(it - state->entries.begin());
}

std::vector<cache::StoredEntry> DecodedDirectory::slice(std::size_t begin, std::size_t end) const {
  auto state = state_.lock();
  end = std::min(end, state->entries.size());
  begin = std::min(begin, end);
  const auto first = state->entries.begin();
  return {first + static_cast<std::ptrdiff_t>(begin), first + static_cast<std::ptrdiff_t>(end)};
}

void DecodedDirectory::update(const cache::StoredEntry& entry) {
  auto state = state_.lock();
  const auto it = lower_bound(state->entries, entry.remote.name);
  if (it != state->entries.end() && it->remote.name == entry.remote.name) *it = entry;
}

std::shared_ptr<DecodedDirectory> DirectoryCache::find(NodeId directory) {
  auto state = state_.lock();
  const auto it = state->by_id.find(directory);
  if (it == state->by_id.end()) return nullptr;
  state->slots.splice(state->slots.begin(), state->slots, it->second);
  return it->second->decoded;
}

void DirectoryCache::put(State& state, NodeId directory,
                         std::shared_ptr<DecodedDirectory> decoded) const {
  if (const auto it = state.by_id.find(directory); it != state.by_id.end()) {
    state.weight -= it->second->weight;
    state.slots.erase(it->second);
    state.by_id.erase(it);
  }
  if (!decoded) return;
  const std::size_t weight = decoded->weight();
  state.slots.push_front({directory, std::move(decoded), weight});
  state.by_id[directory] = state.slots.begin();
  state.weight += weight;
  while (state.weight > max_entries_ && state.slots.size() > 1) {
    state.weight -= state.slots.back().weight;
    state.by_id.erase(state.slots.back().directory);
    state.slots.pop_back();
  }
}

void DirectoryCache::insert(NodeId directory, std::shared_ptr<DecodedDirectory> decoded,
                            Ticket ticket) {
  auto state = state_.lock();
  if (state->writes[stripe(directory)] == ticket) put(*state, directory, std::move(decoded));
}

void DirectoryCache::replace(NodeId directory, std::shared_ptr<DecodedDirectory> decoded) {
  auto state = state_.lock();
  ++state->writes[stripe(directory)];
  put(*state, directory, std::move(decoded));
}

void DirectoryCache::update_entry(NodeId directory, const cache::StoredEntry& entry) {
  auto state = state_.lock();
  ++state->writes[stripe(directory)];
  const auto it = state->by_id.find(directory);
  if (it != state->by_id.end()) it->second->decoded->update(entry);
}

void DirectoryCache::update_header(NodeId directory, cache::DirectoryHeader header) {
  auto state = state_.lock();
  ++state->writes[stripe(directory)];
  const auto it = state->by_id.find(directory);
  if (it != state->by_id.end()) it->second->decoded->set_header(std::move(header));
}

std::vector<NodeId> DirectoryCache::ids() const {
  auto state = state_.lock();
  std::vector<NodeId> out;
  out.reserve(state->slots.size());
  for (const auto& slot : state->slots) out.push_back(slot.directory);
  return out;
}

}  // namespace lazyvol::volume
