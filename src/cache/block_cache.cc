#include "cache/block_cache.h"

#include "cache/block_cache_core.h"
#include "cache/slab_content.h"

namespace lazyvol::cache {
namespace {

class DiskBlockCache final : public BlockCache {
 public:
  explicit DiskBlockCache(std::shared_ptr<CacheCore> core) : core_(std::move(core)) {}
  ~DiskBlockCache() override { core_->shutdown(); }

  std::shared_ptr<CachedContent> content(const model::ContentKey& key,
                                         std::uint64_t size) override {
    if (size >= kObjectMinBytes) return core_->objects.content(key, size);
    return core_->slabs.content(key, size);
  }

  Index& index() override { return *core_->shared.index; }

  CacheStats stats() const override {
    CacheShared& shared = core_->shared;
    const auto why = shared.health.reason();
    return {.bytes = shared.space.used_bytes(),
            .limit_bytes = shared.space.limit(),
            .hits = shared.counters.hits,
            .misses = shared.counters.misses,
            .stored_blocks = shared.counters.stored_blocks,
            .evicted_bytes = shared.counters.evicted_bytes,
            .corrupt_blocks = shared.counters.corrupt_blocks,
            .bypassed_blocks = shared.counters.bypassed_blocks,
            .objects = shared.meta.lock()->objects,
            .slabs = core_->slabs.count(),
            .writable = !why.has_value(),
            .writable_reason = why ? why->message : std::string()};
  }

  void set_limits(std::optional<std::uint64_t> max_bytes, double free_space_ratio) override {
    core_->shared.space.set_limits({max_bytes, free_space_ratio});
    core_->evictor.enforce();
  }

  Result<std::uint64_t> trim(std::uint64_t target_bytes) override {
    const std::uint64_t of_index = core_->shared.space.index_bytes();
    const std::uint64_t freed =
        core_->evictor.shrink_to(target_bytes - std::min(target_bytes, of_index));
    if (const auto why = core_->shared.health.reason(); why && freed == 0) return *why;
    return freed;
  }

  Result<CheckReport> check(const std::function<bool(const CheckReport&)>& progress) override {
    return core_->check(progress);
  }

  Status commit() override {
    LAZYVOL_TRY(core_->committer.commit());
    // What an earlier commit had to give up is not durable either.
    if (auto why = core_->shared.health.reason()) return *std::move(why);
    return {};
  }

 private:
  const std::shared_ptr<CacheCore> core_;
};

}  // namespace

Result<std::shared_ptr<BlockCache>> BlockCache::open(CacheOptions options) {
  LAZYVOL_TRY_ASSIGN(auto directory, CacheDirectory::hold(options.dir));
  LAZYVOL_TRY_ASSIGN(auto index, Index::open(options.dir));
  LAZYVOL_TRY_ASSIGN(auto core,
                     CacheCore::start(std::move(options), std::move(directory), std::move(index)));
  return std::shared_ptr<BlockCache>(std::make_shared<DiskBlockCache>(std::move(core)));
}

}  // namespace lazyvol::cache
