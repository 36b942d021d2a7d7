// Makes what was stored durable: data first, then the rows that name them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/locked.h"
#include "cache/block_cache_shared.h"
#include "cache/object_store.h"
#include "cache/slab_store.h"

namespace lazyvol::cache {

/// Owns the thread "lv-commit": every commit_interval, or when max_dirty_bytes are waiting, it
/// commits and then calls `maintain`. After a crash or a power loss the index names only bytes that
/// are on the disk, because fdatasync of the data comes before the (synced) write of the rows.
class Committer {
 public:
  Committer(CacheShared& shared, ObjectStore& objects, SlabStore& slabs);
  ~Committer();

  /// `maintain` is called on the thread after each round; `probe` when writes are suspended and it
  /// is time to try the disk again: true lets them go on.
  void start(std::function<void()> maintain, std::function<bool()> probe);
  /// Ends and joins the thread. What is dirty stays so: call commit() after. Idempotent.
  void stop();

  /// Everything that was stored before the call is durable when it returns ok. One at a time;
  /// others wait. A failure of the disk suspends writes; data that could not be synced are dropped,
  /// rows that could not be written are tried again.
  Status commit();

  void stored(std::uint64_t bytes);
  /// Waits while more than twice max_dirty_bytes are waiting. Returns at once when writes are
  /// suspended or the cache is closed.
  void wait_for_room();

 private:
  struct Dirty {
    std::uint64_t waiting = 0, committing = 0;
    bool stopping = false;
  };
  using Contents = std::vector<std::shared_ptr<ObjectContent>>;
  void run();
  Status sync(const Contents& contents);
  Status write_rows(const Contents& contents, bool slabs);
  std::uint64_t max_dirty() const;

  CacheShared& shared_;
  ObjectStore& objects_;
  SlabStore& slabs_;
  std::function<void()> maintain_;  // set before the thread begins
  std::function<bool()> probe_;
  std::mutex commit_mutex_;
  base::Locked<Dirty> dirty_;
  std::condition_variable wake_, room_;
  std::thread thread_;
};

}  // namespace lazyvol::cache
