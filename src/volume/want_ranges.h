// Fetches several ranges of one content.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "fetch/fetcher.h"
#include "model/profile.h"

namespace lazyvol::volume {

/// Fetches `ranges`, or all of `content` when there are none, within what it has. `done` comes
/// once, when all of them are stored, or with the first failure once all have ended.
void want_ranges(const std::shared_ptr<fetch::Content>& content,
                 const std::vector<model::ProfileRange>& ranges, const RequestContext& ctx,
                 std::function<void(Status)> done);

}  // namespace lazyvol::volume
