// What a source holds: a published volume or plain files.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lazyvol/source.h"
#include "model/options.h"
#include "volume/mounted_volume.h"
#include "volume/published_volume.h"

namespace lazyvol::volume {

struct Layout {
  bool published = false;
  /// The head as `source` showed it, when it was asked.
  std::optional<PublishedPlace::Head> head;
};

/// Decides as the options say; layout=auto asks `source` for its head, once. Blocks up to
/// io-timeout. `name`: as PublishedPlace::name; what was known under it decides when the source
/// cannot be asked, and is remembered. Errors: invalid_argument (options that only a published
/// volume has), stale (a volume that was published before has no head any more), and the source's
/// when nothing is known.
Result<Layout> find_layout(const std::string& name, const std::shared_ptr<Source>& source,
                           const model::MountOptions& options, VolumeEnvironment environment);

}  // namespace lazyvol::volume
