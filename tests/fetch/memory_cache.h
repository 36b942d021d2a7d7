// A block cache in memory, to control when stores finish and whether they do.
#pragma once

#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>

#include "cache/block_cache.h"

namespace lazyvol::fetch::testing {

class MemoryCache final : public cache::BlockCache,
                          public std::enable_shared_from_this<MemoryCache> {
 public:
  // For tests. Thread-safe.
  /// While held, store() blocks.
  void hold_stores(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  void fail_stores(bool failing) {
    const std::lock_guard lock(mutex_);
    failing_ = failing;
  }
  std::size_t stores_waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }
  std::size_t stored() const {
    const std::lock_guard lock(mutex_);
    return stored_;
  }
  /// Blocks until `count` blocks were stored in all.
  void await_stored(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stored_ >= count; });
  }
  void fail_reads(bool failing) {
    const std::lock_guard lock(mutex_);
    failing_reads_ = failing;
  }
  /// Called (unlocked) after a read() that found nothing, to slip something in. Set before use.
  std::function<void()> after_miss;

  // BlockCache
  std::shared_ptr<cache::CachedContent> content(const model::ContentKey& key,
                                                std::uint64_t size) override {
    const std::lock_guard lock(mutex_);
    auto& weak = contents_[key];
    auto content = weak.lock();
    if (!content) weak = content = std::make_shared<Content>(shared_from_this(), key, size);
    return content;
  }
  cache::Index& index() override { std::abort(); }  // nothing here asks for it
  cache::CacheStats stats() const override { return {}; }
  void set_limits(std::optional<std::uint64_t>, double) override {}
  Result<std::uint64_t> trim(std::uint64_t) override { return std::uint64_t{0}; }
  Result<cache::CheckReport> check(const std::function<bool(const cache::CheckReport&)>&) override {
    return cache::CheckReport{};
  }
  Status commit() override { return {}; }

 private:
  class Content final : public cache::CachedContent {
   public:
    Content(std::shared_ptr<MemoryCache> cache, const model::ContentKey& key, std::uint64_t size)
        : cache_(std::move(cache)), key_(key), layout_{size} {}
    const model::ContentKey& key() const override { return key_; }
    const model::BlockLayout& layout() const override { return layout_; }
    bool has(std::uint64_t block) const override {
      const std::lock_guard lock(cache_->mutex_);
      return cache_->blocks_.contains({key_, block});
    }
    Status read(std::uint64_t block, std::uint32_t offset, std::span<std::byte> out) override {
      std::unique_lock lock(cache_->mutex_);
      auto it = cache_->blocks_.find({key_, block});
      if (it == cache_->blocks_.end() || cache_->failing_reads_) {
        lock.unlock();
        if (cache_->after_miss) cache_->after_miss();
        return Error{Code::not_found, "no such block"};
      }
      std::memcpy(out.data(), it->second.data() + offset, out.size());
      return {};
    }
    Status store(std::uint64_t block, std::span<const std::byte> bytes) override {
      std::unique_lock lock(cache_->mutex_);
      ++cache_->waiting_;
      cache_->changed_.notify_all();
      cache_->changed_.wait(lock, [&] { return !cache_->held_; });
      --cache_->waiting_;
      if (cache_->failing_) return Error{Code::no_space, "the disk is full"};
      if (bytes.size() != layout_.length_of(block)) std::abort();
      cache_->blocks_[{key_, block}].assign(reinterpret_cast<const char*>(bytes.data()),
                                            bytes.size());
      ++cache_->stored_;
      cache_->changed_.notify_all();
      return {};
    }
    std::uint64_t evict() override {
      const std::lock_guard lock(cache_->mutex_);
      return std::erase_if(cache_->blocks_, [&](const auto& b) { return b.first.first == key_; });
    }

   private:
    const std::shared_ptr<MemoryCache> cache_;
    const model::ContentKey key_;
    const model::BlockLayout layout_;
  };

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<model::ContentKey, std::weak_ptr<Content>> contents_;
  std::map<std::pair<model::ContentKey, std::uint64_t>, std::string> blocks_;
  bool held_ = false, failing_ = false, failing_reads_ = false;
  std::size_t waiting_ = 0, stored_ = 0;
};

}  // namespace lazyvol::fetch::testing
