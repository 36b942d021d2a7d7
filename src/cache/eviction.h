// Keeps the cache within its limits: chooses what goes, and lets it go.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cache/block_cache_shared.h"
#include "cache/object_store.h"
#include "cache/recency.h"
#include "cache/slab_store.h"

namespace lazyvol::cache {

/// Samples groups of blocks by a hand that walks the index from the newest object to the oldest and
/// around again, keeps the best candidates seen (as Redis approximates LRU with an eviction pool,
/// https://redis.io/docs/reference/eviction/), and compares the best with the oldest slab. Nothing
/// is written when something is read. Thread-safe: one eviction at a time.
class Evictor {
 public:
  /// `commit` makes rows of what is in memory only, so that they can be chosen.
  Evictor(CacheShared& shared, ObjectStore& objects, SlabStore& slabs,
          std::function<Status()> commit);

  /// Reserves room for `bytes`, evicting when needed. Errors: no_space when the limits leave no
  /// room.
  Result<Room> make_room(std::uint64_t bytes);
  /// Evicts when the limits are exceeded (they may change, and so may the free space).
  void enforce();
  /// Evicts until contents take at most `content_bytes`, or nothing is left to go. Answers with the
  /// bytes freed.
  std::uint64_t shrink_to(std::uint64_t content_bytes);

 private:
  using Place = std::pair<std::uint64_t, std::uint32_t>;  // object, group
  struct Candidate {
    model::ContentKey content;
    Use use;
    std::uint64_t present = 0;
  };
  std::uint64_t usable();
  std::uint64_t free_to(std::uint64_t content_bytes);
  Result<std::uint64_t> step(std::uint64_t need, bool spare_protected);
  Result<std::uint64_t> drop(std::vector<ObjectStore::Victim>& victims);
  void sample();
  bool advance(std::pair<std::string, std::string>& row);
  bool refresh(const Place& place, Candidate& candidate) const;
  std::optional<std::pair<Place, Candidate>> take_best(bool classes);
  std::uint64_t add_victim(const Place& place, const Candidate& candidate, std::uint64_t need,
                           std::vector<ObjectStore::Victim>& victims);
  void tell(bool has_room);

  CacheShared& shared_;
  ObjectStore& objects_;
  SlabStore& slabs_;
  const std::function<Status()> commit_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::string hand_;
  std::map<Place, Candidate> pool_;
  bool short_of_room_ = false;
};

}  // namespace lazyvol::cache
