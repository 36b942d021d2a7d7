// Notes what is read first: nodes in the order of their first use, and the ranges read of each.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/locked.h"
#include "lazyvol/entry.h"
#include "model/profile.h"

namespace lazyvol::volume {

/// Thread-safe. Costs one relaxed load while nothing is recorded.
class AccessRecorder {
 public:
  static constexpr std::size_t kMaxNodes = 100'000;       ///< what comes after is not noted
  static constexpr std::size_t kMaxRangesPerFile = 4096;  ///< beyond, the nearest are joined
  /// Ranges closer than this are one: a request more costs more than the bytes between.
  static constexpr std::uint64_t kJoinWithin = 64 << 10;

  struct Access {
    NodeId node = 0;
    bool directory = false;
    std::vector<model::ProfileRange> ranges;
  };

  /// Begins, anew if it had begun.
  void start();
  /// Ends, and answers with what was noted, in order. Empty when nothing was begun.
  std::vector<Access> stop();

  bool active() const { return active_.load(std::memory_order_relaxed); }
  void note_read(NodeId file, std::uint64_t offset, std::uint64_t length) {
    if (active()) add(file, false, offset, length);
  }
  void note_directory(NodeId directory) {
    if (active()) add(directory, true, 0, 0);
  }

 private:
  struct Node {
    std::size_t order = 0;
    bool directory = false;
    std::map<std::uint64_t, std::uint64_t> ranges;  ///< begin → end, apart
  };
  void add(NodeId node, bool directory, std::uint64_t offset, std::uint64_t length);

  std::atomic<bool> active_{false};
  base::Locked<std::unordered_map<NodeId, Node>> nodes_;
};

/// One open file's share of it.
struct RecordedFile {
  std::shared_ptr<AccessRecorder> recorder;
  NodeId node = 0;
  bool active() const { return recorder->active(); }
  void note(std::uint64_t offset, std::uint64_t length) const {
    recorder->note_read(node, offset, length);
  }
};

}  // namespace lazyvol::volume
