// From bundles of bytes to frames in durable packs: compressed by many threads, written in order by
// one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/locked.h"
#include "base/workers.h"
#include "catalog/frame.h"
#include "lazyvol/error.h"
#include "publish/frame_places.h"
#include "publish/pack_writer.h"
#include "publish/progress.h"
#include "publish/publish_limits.h"
#include "publish/state.h"
#include "publish/store.h"

namespace lazyvol::publish {

struct Bundle {
  std::uint32_t frame = 0;  ///< its number in FramePlaces
  std::string raw;
  std::vector<ChunkInFrame> chunks;
};

/// Thread rule: submit() and finish() belong to one thread. The order of frames in packs is that of
/// submit(), whatever the number of threads. A pack is recorded in the state as soon as it is
/// durable, so a killed publisher loses what was not in a closed pack.
class FramePipe {
 public:
  /// All must outlive it.
  FramePipe(Store& store, State& state, FramePlaces& places, const Limits& limits, int level,
            unsigned threads, Progress& progress);
  ~FramePipe();
  FramePipe(const FramePipe&) = delete;
  FramePipe& operator=(const FramePipe&) = delete;

  /// Waits while more than Limits::compressing_bytes are on their way. Errors: what failed before,
  /// of compression, store or state; cancelled.
  Status submit(Bundle bundle);
  /// Waits for all, and closes the last pack. Errors: as submit().
  Status finish();

  /// How many of the frames that were submitted, from the first, are durable and in the state.
  std::uint64_t recorded() const { return recorded_; }
  /// Packs that were written, and their bytes.
  std::uint64_t packs() const { return packs_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  struct Job {
    Bundle bundle;
    std::size_t bytes = 0;
    std::optional<Result<catalog::EncodedFrame>> frame;
  };
  struct Queue {
    std::deque<std::shared_ptr<Job>> jobs;
    std::uint64_t bytes = 0;
    bool last_was_submitted = false, stopping = false, finished = false;
    std::optional<Error> failure;
  };

  void compress(Job& job);
  void write();
  Status write_one(Job& job);
  Status close_pack();
  Status wait(const std::function<bool(const Queue&)>& until);

  State& state_;
  FramePlaces& places_;
  const Limits& limits_;
  const int level_;
  Progress& progress_;
  base::Locked<Queue> queue_;
  std::condition_variable changed_;
  std::atomic<std::uint64_t> recorded_ = 0, packs_ = 0, bytes_ = 0;

  // The writing thread's.
  PackWriter pack_;
  std::vector<std::uint32_t> frames_;              // of the open pack
  std::vector<std::vector<ChunkInFrame>> chunks_;  // of each of them

  base::Workers workers_;
  std::thread writer_;
};

}  // namespace lazyvol::publish
