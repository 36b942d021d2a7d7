// What a daemon knows of any volume that it mounts, whatever lies behind it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/timer.h"
#include "base/workers.h"
#include "cache/head_store.h"
#include "cache/tree_store.h"
#include "fetch/fetcher.h"
#include "fetch/frame_store.h"
#include "lazyvol/volume.h"
#include "model/profile.h"
#include "volume/access_recorder.h"

namespace lazyvol::volume {

/// What all volumes of a process share. The owner keeps it alive longer than every volume.
struct VolumeEnvironment {
  const base::Clock& clock;
  base::TimerQueue& timer;
  base::Workers& work;  ///< index writes, walks, notifications; never FUSE workers
  cache::TreeStore& trees;
  cache::HeadStore& heads;
  fetch::FetchEnvironment fetch;
};

struct PublishedStats {
  std::string volume;  ///< id, 32 hexadecimal digits
  std::string signer;  ///< "ed25519:…", or empty
  std::uint64_t sequence = 0;
  std::int64_t created_ns = 0, expires_ns = 0;  ///< since 1970; expires 0: never
  bool offline = false;                         ///< no origin has shown a head since the mount
  std::uint64_t refreshes = 0;                  ///< looks for a new head that succeeded
  std::uint64_t refresh_failures = 0;           ///< and that did not
  std::uint64_t switches = 0;                   ///< to another revision
  std::string refresh_error;                    ///< why the last look failed; empty when it did not
  fetch::FrameStats frames;
};

struct VolumeStats {
  /// Questions about metadata; `failures` also counts those that a published volume's pages met.
  std::uint64_t lists = 0, stats = 0, not_modified = 0, stale_served = 0, failures = 0;
  fetch::FetchStats fetch;
  std::optional<PublishedStats> published;
};

class MountedVolume : public Volume {
 public:
  virtual VolumeStats stats() const = 0;
  /// Told of every file that is read and every directory that names are looked up in, by the ids
  /// that are shown.
  virtual AccessRecorder& accesses() = 0;
  /// The path of a node from the mount's root. Errors: stale (it has no name any more),
  /// name_too_long.
  virtual void path_of(NodeId id, RequestContext ctx, Done<std::string> done) = 0;
  /// Fetches what one item of a profile names: a directory's names, or bytes of a file. Errors:
  /// not_found, not_directory, the source's.
  virtual void touch(model::ProfileItem item, RequestContext ctx,
                     std::function<void(Status)> done) = 0;
  /// Fails what waits, stops readahead, and waits until no callback can come. The sources
  /// then keep nothing alive, whatever they still hold. Idempotent; not from a callback.
  virtual void stop() = 0;
};

}  // namespace lazyvol::volume
