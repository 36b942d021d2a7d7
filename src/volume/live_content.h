// What the bytes of a file of a live volume are known by.
#pragma once

#include "fetch/fetcher.h"
#include "volume/core.h"

namespace lazyvol::volume {

/// The version of a file that `remote`, an exact entry of `parent`, tells. Errors: is_directory,
/// invalid_argument (neither file nor directory), those of Tree::path_of.
Result<fetch::ContentRef> live_content(Core& core, NodeId parent, const RemoteEntry& remote);

}  // namespace lazyvol::volume
