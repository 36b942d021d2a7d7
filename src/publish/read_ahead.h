// Reads files with several threads and hands over their parts in order, as if one thread had read
// one file after the other.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>

#include "base/locked.h"
#include "base/workers.h"
#include "lazyvol/error.h"
#include "publish/progress.h"
#include "publish/publish_limits.h"
#include "publish/read_file.h"
#include "publish/tree.h"

namespace lazyvol::publish {

/// Part of a file, in order: what a ContentSink takes, and the end.
struct FilePart {
  enum class Kind : std::uint8_t { whole, chunk, hole, restart, end } kind = Kind::end;
  Chunk chunk;
  std::uint64_t hole = 0;
  FileFacts facts;  ///< of the end
};

/// Thread rule: next() belongs to one thread. What is read and not yet taken is bounded: the file
/// whose parts are taken next may always be read on, others only while there is room.
class ReadAhead {
 public:
  /// Reads `files` (numbers of nodes of `tree`) in this order. All must outlive it.
  ReadAhead(const Fd& root, const Tree& tree, std::span<const std::uint32_t> files, Chunks chunks,
            const Limits& limits, unsigned threads, Progress& progress);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// The next part of the present file; after its end, of the next one. Not after the last end.
  /// Errors: those of read_content().
  Result<FilePart> next();

 private:
  class Sink;
  struct Slot {
    std::deque<FilePart> parts;
    std::uint64_t bytes = 0;
    std::optional<Error> failure;
  };
  struct State {
    std::deque<std::shared_ptr<Slot>> slots;  ///< of the files that were begun, the first in line
    std::size_t begun = 0;
    std::uint64_t bytes = 0;
    bool stopping = false;
  };

  void work();
  bool put(Slot& slot, FilePart part);
  bool may_begin(const State& state) const;
  bool may_put(const State& state, const Slot& slot) const;

  const Fd& root_;
  const Tree& tree_;
  const std::span<const std::uint32_t> files_;
  const ReadSettings settings_;
  const Limits& limits_;
  Progress& progress_;
  base::Locked<State> state_;
  std::condition_variable filled_, room_;
  base::Workers workers_;
};

}  // namespace lazyvol::publish
