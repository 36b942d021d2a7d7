// The contents that someone holds, by key.
#pragma once

#include <memory>
#include <unordered_map>

#include "base/locked.h"
#include "model/content.h"

namespace lazyvol::cache {

/// Makes one T per key for as long as anyone holds it. Thread-safe. A T calls released() in its
/// destructor.
template <class T>
class Registry {
 public:
  /// The T of that key, made by `make()` when there is none. `make` runs under the registry's lock
  /// and does no I/O.
  template <class Make>
  std::shared_ptr<T> get(const model::ContentKey& key, Make make) {
    auto held = held_.lock();
    std::weak_ptr<T>& place = (*held)[key];
    if (auto found = place.lock()) return found;
    std::shared_ptr<T> made = make();
    place = made;
    return made;
  }
  std::shared_ptr<T> find(const model::ContentKey& key) const {
    const auto held = held_.lock();
    const auto found = held->find(key);
    return found == held->end() ? nullptr : found->second.lock();
  }
  void released(const model::ContentKey& key) {
    auto held = held_.lock();
    const auto found = held->find(key);
    // Another one may have been made since the last holder let go.
    if (found != held->end() && found->second.expired()) held->erase(found);
  }

 private:
  base::Locked<std::unordered_map<model::ContentKey, std::weak_ptr<T>>> held_;
};

}  // namespace lazyvol::cache
