// The tree below a directory of an SFTP server.
#pragma once

#include "source/registry.h"

namespace lazyvol::source {

/// `url.scheme` is sftp. Connects when it is first asked for something. Errors: those of
/// net::Credentials::open.
Result<std::shared_ptr<Source>> make_sftp_source(const model::SourceUrl& url,
                                                 const model::MountOptions& options,
                                                 SourceEnvironment environment);

}  // namespace lazyvol::source
