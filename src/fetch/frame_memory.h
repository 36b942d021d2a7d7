// Decoded frames in memory, least recently used ones leave first.
#pragma once

#include <cstdint>
#include <list>
#include <unordered_map>

#include "base/locked.h"
#include "fetch/frame_key.h"

namespace lazyvol::fetch {

/// Two bounded sets: pages and maps, which are small and asked for all the time, and data, of which
/// there is any amount. Neither ever holds more bytes than its limit (a frame that is longer than
/// the limit is not kept). Thread-safe; the lock is a leaf.
class FrameMemory {
 public:
  FrameMemory(std::uint64_t page_bytes, std::uint64_t data_bytes);

  /// Null when it is not here; else it is the one used last.
  FrameBytes find(const FrameId& id);
  bool has(const FrameId& id) const;
  void insert(const FrameId& id, FrameBytes bytes);
  /// Makes it the first to leave.
  void used_up(const FrameId& id);
  void erase(const FrameId& id);
  /// Drops everything.
  void clear();
  /// Bytes held now, with what it takes to hold them.
  std::uint64_t bytes() const;

 private:
  struct Item {
    FrameId id;
    FrameBytes bytes;
  };
  using Items = std::list<Item>;
  struct Set {
    std::uint64_t limit = 0, bytes = 0;
    Items items;  ///< the one used last in front
    std::unordered_map<FrameId, Items::iterator, FrameIdHash> places;
  };
  /// Takes one out into `gone`, to be destroyed after the lock: it may be megabytes.
  static void take_out(Set& set, Items::iterator item, Items& gone);

  base::Locked<Set>& set_of(const FrameId& id) {
    return id.kind == FrameKind::data ? data_ : pages_;
  }
  const base::Locked<Set>& set_of(const FrameId& id) const {
    return id.kind == FrameKind::data ? data_ : pages_;
  }

  base::Locked<Set> pages_, data_;
};

}  // namespace lazyvol::fetch
