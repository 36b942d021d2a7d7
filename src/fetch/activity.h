// Who is inside an engine, so that its end can wait for them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace lazyvol::fetch {

/// Counts threads. They share it with the engine, which may be gone when the last one leaves.
class Occupancy {
 public:
  void enter() { inside_.fetch_add(1); }
  void leave() {
    if (inside_.fetch_sub(1) != 1 || !awaited_.load()) return;
    const std::lock_guard lock(mutex_);
    left_.notify_all();
  }
  /// Returns when nobody is inside and `at_rest()` holds, which only those inside can change.
  template <class AtRest>
  void wait(const AtRest& at_rest) {
    awaited_ = true;
    std::unique_lock lock(mutex_);
    left_.wait(lock, [&] { return inside_.load() == 0 && at_rest(); });
  }

 private:
  std::atomic<std::uint64_t> inside_{0};
  std::atomic<bool> awaited_{false};
  std::mutex mutex_;
  std::condition_variable left_;
};

/// One thread inside, for as long as it lives.
class Activity {
 public:
  explicit Activity(std::shared_ptr<Occupancy> occupancy) : occupancy_(std::move(occupancy)) {
    occupancy_->enter();
  }
  ~Activity() { occupancy_->leave(); }
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;

 private:
  const std::shared_ptr<Occupancy> occupancy_;
};

}  // namespace lazyvol::fetch
