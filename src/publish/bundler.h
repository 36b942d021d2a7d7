// Chunks in order become frames, unless they are stored already.
//
// Small chunks are bundled to about Limits::frame_target bytes; one that long is a frame alone.
// Long files have bundles of their own. A known chunk is not stored again, with one exception
// against fragmentation (after Lillibridge et al., "Improving Restore Speed for Backup Systems that
// Use Inline Chunk-Based Deduplication", FAST 2013): when a run of fewer than kShortRun known
// chunks, and of less than a frame, stands between new ones that are bundled, and lies in some far
// frame, it is stored once more; a reader then needs one frame instead of three. Far is what was
// not among the last kNearFrames frames: about a pack.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "lazyvol/error.h"
#include "publish/contents.h"
#include "publish/frame_pipe.h"
#include "publish/frame_places.h"
#include "publish/progress.h"
#include "publish/publish_limits.h"
#include "publish/read_file.h"
#include "publish/state.h"

namespace lazyvol::publish {

/// Thread rule: one thread. What it does depends on the order of chunks and on what the state knew
/// at the beginning, not on how far compression or writing are.
class Bundler {
 public:
  static constexpr std::size_t kShortRun = 8;
  static constexpr std::uint64_t kNearFrames = 512;

  /// All must outlive it. A piece for each chunk is appended to `contents.pieces`, and has its
  /// frame when the bundle that it went into is closed.
  Bundler(State& state, FramePipe& pipe, FramePlaces& places, Contents& contents,
          const Limits& limits, Progress& progress)
      : state_(state),
        pipe_(pipe),
        places_(places),
        contents_(contents),
        limits_(limits),
        progress_(progress) {}

  /// Errors of all: those of FramePipe::submit().
  Status add_small(Chunk chunk) { return add(small_, std::move(chunk), false); }
  Status add_long(Chunk chunk) { return add(long_, std::move(chunk), true); }
  /// Ends a long file.
  Status end_long() { return flush(long_); }
  /// What was added of a long file since the last end_long() is void.
  void drop_long();
  /// Ends the last bundle.
  Status finish() { return flush(small_); }

 private:
  struct Place {
    std::uint32_t frame = 0, offset = 0;
    bool near = false;
  };
  struct Recent {
    std::uint32_t frame = 0, offset = 0, length = 0;
    std::uint64_t ordinal = 0;  ///< frames submitted before it
  };
  struct Waiting {
    Chunk chunk;
    std::size_t piece = 0;
    Place place;
  };
  /// A bundle that is being filled, and known chunks behind it that may be put into it.
  struct Open {
    Bundle bundle;
    std::vector<Waiting> waiting;
    std::size_t waiting_bytes = 0;
    bool in_run = false;  ///< the known chunks before the present one are a long run
  };
  struct Submitted {
    std::uint64_t ordinal = 0;
    std::uint32_t frame = 0;
    std::vector<catalog::Digest> chunks;
  };

  Status add(Open& open, Chunk chunk, bool in_order);
  Status add_new(Open& open, Chunk chunk, std::size_t piece, bool in_order);
  Status add_waiting(Open& open);
  Status append(Open& open, Chunk chunk, std::size_t piece);
  Status flush(Open& open);
  Status submit(Bundle bundle);
  std::optional<Place> find(const Chunk& chunk);
  void use(const Place& place, std::size_t piece);
  void use_waiting(Open& open);
  void forget_old();

  State& state_;
  FramePipe& pipe_;
  FramePlaces& places_;
  Contents& contents_;
  const Limits& limits_;
  Progress& progress_;
  Open small_, long_;
  std::uint64_t submitted_ = 0;
  std::unordered_map<catalog::Digest, Recent, catalog::DigestHash> recent_;
  std::deque<Submitted> window_;
};

}  // namespace lazyvol::publish
