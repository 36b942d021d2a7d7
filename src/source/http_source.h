// A tree on a web server: a directory with an index, or one file.
#pragma once

#include <memory>

#include "lazyvol/source.h"
#include "source/registry.h"

namespace lazyvol::source {

/// `url` has the scheme http or https. When its path ends in '/' it is a directory; otherwise the
/// first call asks the server, and a file becomes a root directory that holds just that file.
/// Reaches no network. Errors: as net::Credentials::open, invalid_argument (a path that cannot be
/// decoded).
Result<std::shared_ptr<Source>> make_http_source(const model::SourceUrl& url,
                                                 const model::MountOptions& options,
                                                 SourceEnvironment environment);

}  // namespace lazyvol::source
