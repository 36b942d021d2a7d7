// A mutex that owns what it protects.
#pragma once

#include <mutex>
#include <utility>

namespace lazyvol::base {

/// Holds a T that can only be reached with its mutex held.
/// `auto state = locked.lock(); state->field = 1;` Unlocks when the guard goes out of scope.
/// Do not keep references into *guard beyond the guard.
template <class T>
class Locked {
 public:
  class Guard {
   public:
    Guard(std::mutex& mutex, T& value) : lock_(mutex), value_(&value) {}
    T& operator*() const { return *value_; }
    T* operator->() const { return value_; }
    /// The lock itself, for std::condition_variable::wait.
    std::unique_lock<std::mutex>& native() { return lock_; }
    /// Unlocks early. The guard must not be dereferenced afterwards.
    void unlock() { lock_.unlock(); }

   private:
    std::unique_lock<std::mutex> lock_;
    T* value_;
  };

  Locked() = default;
  template <class... Args>
  explicit Locked(std::in_place_t, Args&&... args) : value_(std::forward<Args>(args)...) {}
  explicit Locked(T value) : value_(std::move(value)) {}

  Guard lock() { return Guard(mutex_, value_); }
  Guard lock() const { return Guard(mutex_, const_cast<T&>(value_)); }

 private:
  mutable std::mutex mutex_;
  T value_{};
};

}  // namespace lazyvol::base
