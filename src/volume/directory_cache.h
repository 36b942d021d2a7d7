// Decoded directories in memory, least recently used first out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/locked.h"
#include "cache/tree_store.h"

namespace lazyvol::volume {

/// One directory, decoded. The entries are guarded by the object's own lock.
class DecodedDirectory {
 public:
  DecodedDirectory(cache::DirectoryHeader header, std::vector<cache::StoredEntry> sorted)
      : state_(State{std::move(header), std::move(sorted)}) {}

  cache::DirectoryHeader header() const { return state_.lock()->header; }
  void set_header(cache::DirectoryHeader header) { state_.lock()->header = std::move(header); }
  std::optional<cache::StoredEntry> find(std::string_view name) const;
  /// The position of `name` in byte order, if it is here.
  std::optional<std::size_t> position(std::string_view name) const;
  /// Entries [begin, end), cut to what there is.
  std::vector<cache::StoredEntry> slice(std::size_t begin, std::size_t end) const;
  std::vector<cache::StoredEntry> all() const { return state_.lock()->entries; }
  /// Replaces the entry of that name, if there is one.
  void update(const cache::StoredEntry& entry);
  std::size_t weight() const { return state_.lock()->entries.size() + 1; }

 private:
  struct State {
    cache::DirectoryHeader header;
    std::vector<cache::StoredEntry> entries;
  };
  base::Locked<State> state_;
};

/// Bounded by the number of entries in all directories together. Thread-safe.
///
/// A reader that decodes a directory from the store must not overwrite what a writer put here
/// meanwhile: it takes a ticket() first, and insert() refuses when the directory was written since.
class DirectoryCache {
 public:
  using Ticket = std::uint64_t;

  explicit DirectoryCache(std::size_t max_entries) : max_entries_(max_entries) {}

  std::shared_ptr<DecodedDirectory> find(NodeId directory);
  Ticket ticket(NodeId directory) const { return state_.lock()->writes[stripe(directory)]; }
  /// From a reader.
  void insert(NodeId directory, std::shared_ptr<DecodedDirectory> decoded, Ticket ticket);
  /// From a writer: puts, or with nullptr drops.
  void replace(NodeId directory, std::shared_ptr<DecodedDirectory> decoded);
  /// From a writer: what changed of a directory, if it is here.
  void update_entry(NodeId directory, const cache::StoredEntry& entry);
  void update_header(NodeId directory, cache::DirectoryHeader header);
  /// The ids of what is here, most recently used first.
  std::vector<NodeId> ids() const;

 private:
  static constexpr std::size_t kStripes = 64;
  struct Slot {
    NodeId directory = 0;
    std::shared_ptr<DecodedDirectory> decoded;
    std::size_t weight = 0;
  };
  struct State {
    std::list<Slot> slots;  // most recently used first
    std::unordered_map<NodeId, std::list<Slot>::iterator> by_id;
    std::size_t weight = 0;
    std::array<Ticket, kStripes> writes{};  // by stripe of directories
  };
  static std::size_t stripe(NodeId directory) { return directory % kStripes; }
  void put(State& state, NodeId directory, std::shared_ptr<DecodedDirectory> decoded) const;

  const std::size_t max_entries_;
  base::Locked<State> state_;
};

}  // namespace lazyvol::volume
