// When a reader asks for the attributes of one entry after the other, which to ask for in advance:
// a pure policy.
#pragma once

#include <cstddef>
#include <optional>

namespace lazyvol::volume {

/// Positions in listing order; half open.
struct Span {
  std::size_t begin = 0, end = 0;
  bool operator==(const Span&) const = default;
};

/// Recognises `ls -l`: after kStreak entries were asked for in listing order, the following kAhead
/// are worth asking for now. Not thread-safe.
class StatAhead {
 public:
  static constexpr std::size_t kAhead = 32;
  static constexpr std::size_t kStreak = 2;
  /// Directories and other entries that need no question are skipped by the reader's requests, so a
  /// step of up to this many positions still counts as "in order".
  static constexpr std::size_t kStep = 8;
  /// Refilled in batches of at least this many, not one by one.
  static constexpr std::size_t kBatch = 8;

  /// Records that the entry at `position` was asked for; answers with what to ask for ahead.
  std::optional<Span> on_demand(std::size_t position);

 private:
  bool started_ = false;
  std::size_t last_ = 0;
  std::size_t streak_ = 0;
  std::size_t ahead_ = 0;  // everything before this was answered with already
};

}  // namespace lazyvol::volume
