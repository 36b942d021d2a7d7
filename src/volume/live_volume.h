// A Volume over a live source: listings kept with a TTL, files identified by validator.
// Rules: docs/semantics.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/timer.h"
#include "base/workers.h"
#include "cache/tree_store.h"
#include "fetch/fetcher.h"
#include "lazyvol/source.h"
#include "lazyvol/volume.h"
#include "model/options.h"

namespace lazyvol::volume {

struct LiveVolumeEnvironment {
  const base::Clock& clock;
  base::TimerQueue& timer;
  base::Workers& work;  ///< index writes, notifications; never FUSE workers
  cache::TreeStore& trees;
  fetch::FetchEnvironment fetch;
};

struct LiveVolumeStats {
  std::uint64_t lists = 0, stats = 0, not_modified = 0, stale_served = 0, failures = 0;
  fetch::FetchStats fetch;
};

class LiveVolume : public Volume {
 public:
  /// `name` identifies the volume in the index across restarts (canonical SOURCE + subdir).
  /// Lists the root once: a source that is unreachable is an error unless the root was listed in an
  /// earlier life, which is served then (with a warning in the log). Blocks up to io-timeout.
  static Result<std::shared_ptr<LiveVolume>> open(std::string name, std::shared_ptr<Source> source,
                                                  const model::MountOptions& options,
                                                  LiveVolumeEnvironment environment);
  virtual LiveVolumeStats stats() const = 0;
  /// Fails what waits, stops readahead, and waits until no callback can come. The source then keeps
  /// nothing alive, whatever it still holds. Idempotent; not from a callback.
  virtual void stop() = 0;
};

}  // namespace lazyvol::volume
