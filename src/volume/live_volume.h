// A Volume over a live source: listings kept with a TTL, files identified by validator.
// Rules: docs/semantics.md.
#pragma once

#include <memory>
#include <string>

#include "lazyvol/source.h"
#include "model/options.h"
#include "volume/mounted_volume.h"

namespace lazyvol::volume {

class LiveVolume : public MountedVolume {
 public:
  /// `name` identifies the volume in the index across restarts (canonical SOURCE + subdir).
  /// Lists the root once: a source that is unreachable is an error unless the root was listed in an
  /// earlier life, which is served then (with a warning in the log). Blocks up to io-timeout.
  static Result<std::shared_ptr<LiveVolume>> open(std::string name, std::shared_ptr<Source> source,
                                                  const model::MountOptions& options,
                                                  VolumeEnvironment environment);
};

}  // namespace lazyvol::volume
