// Turns what a recorder noted into a profile: ids into paths.
#pragma once

#include <memory>

#include "model/profile.h"
#include "volume/mounted_volume.h"

namespace lazyvol::volume {

/// Ends the recording of `volume`. What has no name any more is left out. `done` comes inline when
/// all names are at hand.
void finish_recording(const std::shared_ptr<MountedVolume>& volume, const RequestContext& ctx,
                      std::function<void(Result<model::Profile>)> done);

}  // namespace lazyvol::volume
