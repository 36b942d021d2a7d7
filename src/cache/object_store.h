// All object files of a cache.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "cache/block_cache_registry.h"
#include "cache/block_cache_shared.h"
#include "cache/object_content.h"
#include "cache/prover.h"

namespace lazyvol::cache {

/// Contents of this size and more have a file of their own; smaller ones live in slabs.
inline constexpr std::uint64_t kObjectMinBytes = 1ULL << 20;

/// Thread-safe.
class ObjectStore {
 public:
  ObjectStore(CacheShared& shared, std::uint64_t next_id) : shared_(shared), next_id_(next_id) {}

  /// The content of that key with its rows loaded.
  std::shared_ptr<ObjectContent> content(const model::ContentKey& key, std::uint64_t size);
  /// The same from the index alone; nullptr when it has no such object.
  std::shared_ptr<ObjectContent> stored(const model::ContentKey& key);
  /// A content that is in memory, or nullptr.
  std::shared_ptr<ObjectContent> held(const model::ContentKey& key) const;

  std::uint64_t new_id() { return next_id_.fetch_add(1); }
  std::uint64_t next_id() const { return next_id_.load(); }

  struct Victim {
    std::shared_ptr<ObjectContent> content;
    std::vector<GroupPart> parts;
  };
  /// Drops parts of objects: out of sight, out of the index (durably), and then off the disk.
  /// Answers with the bytes freed. With `even_unindexed`, when the index takes no writes, whole
  /// objects go all the same: their rows are left behind as misses.
  Result<std::uint64_t> drop(const std::vector<Victim>& victims, bool even_unindexed);
  /// Erases a group row that belongs to no object any more, and that counted for `bytes`.
  void drop_row(const std::string& key, std::uint64_t bytes);
  /// drop() of one, counted as evicted.
  std::uint64_t evict(std::shared_ptr<ObjectContent> content, std::vector<GroupPart> parts);

  /// Ends verifying ahead of loans. Idempotent.
  void stop_proving() { prover_.stop(); }
  /// Lets go of the contents that changed, which keep all of the cache alive, and takes no more: a
  /// loan may end after the cache was closed.
  void close();

  /// The contents that changed since the last time.
  std::vector<std::shared_ptr<ObjectContent>> take_dirty();

  /// False once the file system turned out to have no holes: only whole objects can be evicted
  /// then.
  bool holes() const { return holes_.load(std::memory_order_relaxed); }

  // For ObjectContent.
  void note_dirty(std::shared_ptr<ObjectContent> content);
  void released(const model::ContentKey& key) { registry_.released(key); }
  void no_holes() { holes_.store(false, std::memory_order_relaxed); }
  void prove_later(std::shared_ptr<ObjectContent> content) { prover_.add(std::move(content)); }
  /// Whether every block of the object was seen right, on the disk, in this life of the process.
  bool proved(std::uint64_t id) const { return proved_.lock()->contains(id); }
  void note_proved(std::uint64_t id) { proved_.lock()->insert(id); }
  void forget_proof(std::uint64_t id) { proved_.lock()->erase(id); }

 private:
  CacheShared& shared_;
  std::atomic<std::uint64_t> next_id_;
  std::atomic<bool> holes_{true};
  Registry<ObjectContent> registry_;
  struct Dirty {
    std::unordered_set<std::shared_ptr<ObjectContent>> contents;
    bool closed = false;
  };
  base::Locked<Dirty> dirty_;
  std::atomic<std::uint64_t> unindexed_bytes_{0};  // freed while their rows are still in the index
  std::mutex drop_mutex_;                          // one drop at a time, from sight to disk
  base::Locked<std::unordered_set<std::uint64_t>> proved_;  // ids of objects
  Prover prover_;
};

}  // namespace lazyvol::cache
