// Directories that the index could not take (a full or failing disk): kept in memory instead, so
// that the volume goes on.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/locked.h"
#include "cache/tree_store.h"
#include "volume/directory_cache.h"

namespace lazyvol::volume {

/// Wins over what the index has of the same directories. Bounded by the number of entries: beyond
/// it the oldest are forgotten, and their ids become stale. Thread-safe.
class UnsavedDirectories {
 public:
  explicit UnsavedDirectories(std::size_t max_entries) : max_entries_(max_entries) {}

  bool empty() const { return state_.lock()->directories.empty(); }
  std::shared_ptr<DecodedDirectory> find(NodeId directory) const;
  std::optional<cache::NodePlace> place(NodeId id) const;
  /// The ids of what is here.
  std::vector<NodeId> ids() const;
  void put(NodeId directory, std::shared_ptr<DecodedDirectory> decoded);
  /// The index has it again, or it vanished.
  void erase(NodeId directory);

 private:
  struct State {
    std::unordered_map<NodeId, std::shared_ptr<DecodedDirectory>> directories;
    std::list<NodeId> oldest_first;
    std::unordered_map<NodeId, cache::NodePlace> places;
    std::size_t weight = 0;
  };
  static void drop(State& state, NodeId directory);

  const std::size_t max_entries_;
  base::Locked<State> state_;
};

}  // namespace lazyvol::volume
