#include "volume/unsaved.h"

#include <utility>

namespace lazyvol::volume {

std::shared_ptr<DecodedDirectory> UnsavedDirectories::find(NodeId directory) const {
  auto state = state_.lock();
  const auto it = state->directories.find(directory);
  return it == state->directories.end() ? nullptr : it->second;
}

std::optional<cache::NodePlace> UnsavedDirectories::place(NodeId id) const {
  auto state = state_.lock();
  const auto it = state->places.find(id);
  if (it == state->places.end()) return std::nullopt;
  return it->second;
}

std::vector<NodeId> UnsavedDirectories::ids() const {
  auto state = state_.lock();
  return {state->oldest_first.begin(), state->oldest_first.end()};
}

void UnsavedDirectories::drop(State& state, NodeId directory) {
  const auto it = state.directories.find(directory);
  if (it == state.directories.end()) return;
  state.weight -= it->second->weight();
  for (const auto& entry : it->second->all()) {
    const auto place = state.places.find(entry.id);
    if (place != state.places.end() && place->second.parent == directory) state.places.erase(place);
  }
  state.directories.erase(it);
  state.oldest_first.remove(directory);
}

void UnsavedDirectories::put(NodeId directory, std::shared_ptr<DecodedDirectory> decoded) {
  auto state = state_.lock();
  drop(*state, directory);
  for (const auto& entry : decoded->all()) {
    state->places[entry.id] = {directory, entry.remote.name};
  }
  state->weight += decoded->weight();
  state->directories[directory] = std::move(decoded);
  state->oldest_first.push_back(directory);
  while (state->weight > max_entries_ && state->oldest_first.size() > 1) {
    drop(*state, state->oldest_first.front());
  }
}

void UnsavedDirectories::erase(NodeId directory) {
  drop(*state_.lock(), directory);
}

}  // namespace lazyvol::volume
