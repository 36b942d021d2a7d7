// The names of one directory of a revision.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lazyvol/volume.h"

namespace lazyvol::volume {

/// Those that were read before an error, and that error.
struct CollectedNames {
  std::vector<std::string> names;
  Status status;
};

/// Reads an open directory to its end. `done` comes inline or from whoever brings the last part.
void collect_names(std::shared_ptr<Directory> directory, const RequestContext& ctx,
                   std::function<void(CollectedNames)> done);

}  // namespace lazyvol::volume
