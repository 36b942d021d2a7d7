// A directory of this machine, or of an NFS server that it has mounted.
#pragma once

#include <memory>
#include <string>

#include "lazyvol/source.h"
#include "source/registry.h"

namespace lazyvol::source {

/// `path` is absolute. Errors: as DirRoot::open.
Result<std::shared_ptr<Source>> make_dir_source(const std::string& path,
                                                SourceEnvironment environment);

}  // namespace lazyvol::source
