// One read of one caller that waits for blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>

#include "base/locked.h"
#include "fetch/counters.h"
#include "fetch/fetcher.h"

namespace lazyvol::fetch {

/// The part of a read that lies in one block.
struct Piece {
  std::uint64_t block = 0;
  std::uint32_t offset = 0;  ///< in the block
  std::span<std::byte> out;
};

/// Collects the pieces of one read and answers exactly once: with success when the last piece was
/// copied, or with the first error. Nothing is written to `out` after the answer: copying happens
/// under the read's own lock, which an error takes, too. Thread-safe.
///
/// The last reference must not be dropped while the engine's lock is held: the destructor waits for
/// a stop callback that may be running.
class PendingRead {
 public:
  /// `total` is what the caller gets on success, `pieces` how many deliver() calls that takes.
  PendingRead(std::size_t total, std::size_t pieces, std::uint64_t first_block,
              std::uint64_t last_block, Content::ReadDone done, std::shared_ptr<Counters> counters);
  ~PendingRead();
  PendingRead(const PendingRead&) = delete;
  PendingRead& operator=(const PendingRead&) = delete;

  std::uint64_t first_block() const { return first_block_; }
  std::uint64_t last_block() const { return last_block_; }

  /// Copies the piece out of the complete block; answers if it was the last one. No effect after
  /// the answer.
  void deliver(const Piece& piece, std::span<const std::byte> block_bytes);
  /// Answers with `error` unless answered already.
  void fail(Error error);
  /// Calls `on_stop` (once, on the stopping thread, or inline when stopped already). Call at most
  /// once.
  void arm(const std::stop_token& token, std::function<void()> on_stop);

 private:
  struct State {
    std::size_t pieces_left = 0;
    Content::ReadDone done;  ///< empty once answered
  };

  const std::size_t total_;
  const std::uint64_t first_block_, last_block_;
  const std::shared_ptr<Counters> counters_;
  base::Locked<State> state_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;  // set once, by arm()
};

}  // namespace lazyvol::fetch
