// Fetches what one item of a profile names, in a published volume; and names nodes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "model/profile.h"
#include "volume/published_core.h"

namespace lazyvol::volume {

/// As MountedVolume::touch.
void touch_published(const std::shared_ptr<PublishedCore>& core, const model::ProfileItem& item,
                     RequestContext ctx, std::function<void(Status)> done);

/// As MountedVolume::path_of; `id` is as it is shown.
void published_path(const std::shared_ptr<PublishedCore>& core, NodeId id, RequestContext ctx,
                    std::function<void(Result<std::string>)> done);

}  // namespace lazyvol::volume
