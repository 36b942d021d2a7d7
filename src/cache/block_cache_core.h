// All parts of one block cache, put together.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <thread>

#include "cache/block_cache_dir.h"
#include "cache/block_cache_shared.h"
#include "cache/committer.h"
#include "cache/eviction.h"
#include "cache/object_store.h"
#include "cache/slab_store.h"

namespace lazyvol::cache {

/// Lives as long as the BlockCache and every content of it. After shutdown() contents can still be
/// read; nothing is stored any more.
class CacheCore final : public StoreGate {
 public:
  /// Reads the cache's own row and the list of slabs, and starts the threads. Errors: of the index
  /// and of the disk.
  static Result<std::shared_ptr<CacheCore>> start(CacheOptions options, CacheDirectory directory,
                                                  std::unique_ptr<Index> index);
  CacheCore(CacheOptions options, CacheDirectory directory, std::unique_ptr<Index> index,
            const MetaRow& meta);
  ~CacheCore() override;

  Result<Room> admit(std::uint64_t bytes) override;
  void stored(std::uint64_t bytes) override { committer.stored(bytes); }

  /// Stops the threads and commits; the next opening has nothing to clean up. Idempotent.
  void shutdown();
  /// Reads every block that is stored (src/cache/block_cache_check.cc).
  Result<CheckReport> check(const std::function<bool(const CheckReport&)>& progress);

 private:
  // Before what uses them: members are destroyed in reverse.
  CacheDirectory directory_;

 public:
  CacheShared shared;
  ObjectStore objects;
  SlabStore slabs;
  Committer committer;
  Evictor evictor;

 private:
  bool probe();
  Status write_meta(bool clean);
  /// Removes what a crash left behind (src/cache/block_cache_sweep.cc).
  void sweep(std::uint64_t first_new_object);
  void sweep_objects(std::uint64_t first_new_object);
  void sweep_object(const std::filesystem::path& path, std::uint64_t first_new_object);
  void sweep_slabs();

  std::atomic<bool> stopping_{false};
  std::thread sweeper_;  // "lv-sweep", after a crash only
};

}  // namespace lazyvol::cache
