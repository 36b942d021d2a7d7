// Open handles by number: the kernel is given numbers, never pointers, so that a number from an
// earlier process is an unknown number and not a wild pointer.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

namespace lazyvol::fuse {

/// Thread-safe. Numbers are never used twice.
template <class T>
class HandleTable {
 public:
  std::uint64_t add(std::shared_ptr<T> object) {
    const std::uint64_t handle = next_.fetch_add(1, std::memory_order_relaxed);
    const std::unique_lock lock(mutex_);
    objects_.emplace(handle, std::move(object));
    return handle;
  }
  /// nullptr when unknown.
  std::shared_ptr<T> find(std::uint64_t handle) const {
    const std::shared_lock lock(mutex_);
    auto it = objects_.find(handle);
    return it == objects_.end() ? nullptr : it->second;
  }
  /// The object is destroyed by the caller, outside the lock. nullptr when unknown.
  std::shared_ptr<T> remove(std::uint64_t handle) {
    const std::unique_lock lock(mutex_);
    auto node = objects_.extract(handle);
    return node.empty() ? nullptr : std::move(node.mapped());
  }
  void clear() {
    std::unordered_map<std::uint64_t, std::shared_ptr<T>> dropped;
    const std::unique_lock lock(mutex_);
    dropped.swap(objects_);
  }

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::uint64_t, std::shared_ptr<T>> objects_;  // guarded by mutex_
  std::atomic<std::uint64_t> next_{1};
};

}  // namespace lazyvol::fuse
