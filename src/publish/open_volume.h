// VOLUME of a command line: a published volume in a directory or behind a URL.
#pragma once

#include <memory>
#include <string>

#include "lazyvol/error.h"
#include "model/options.h"
#include "publish/store.h"

namespace lazyvol::publish {

/// `text` is a path (relative ones, too) or a URL that lazyvol can mount; of `options` the
/// credentials, ca_cert, io_timeout and max_connections are used. A directory gives a store that
/// lists and writes, a URL one that reads (publish/source_store.h). Reaches no network.
/// Errors: invalid_argument (the URL, the credentials file), unsupported (s3://), not_found,
/// not_directory, ….
Result<std::unique_ptr<Store>> open_volume(const std::string& text,
                                           const model::MountOptions& options);

/// The path that `text` means, when it means a directory of this machine: "/path", "path",
/// "file:///path". Errors: as open_volume(); unsupported for every other URL.
Result<std::string> volume_directory(const std::string& text);

}  // namespace lazyvol::publish
