// VOLUME of a command line: a published volume in a directory or behind a URL.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "lazyvol/error.h"
#include "model/options.h"
#include "model/source_url.h"
#include "publish/store.h"

namespace lazyvol::publish {

/// `text` is a path (relative ones, too) or a URL that lazyvol can mount; of `options` those count
/// that say how its server is reached. A directory and a bucket give a store that lists and writes
/// (publish/dir_store.h, s3_store.h), another URL one that reads (source_store.h) and reaches no
/// network before it does. `stop` ends what waits for a bucket.
/// Errors: invalid_argument (the URL, the credentials file), not_found, not_directory, …; those of
/// open_s3_store().
Result<std::unique_ptr<Store>> open_volume(const std::string& text,
                                           const model::MountOptions& options,
                                           std::stop_token stop = {});

/// The path that `text` means, when it means a directory of this machine: "/path", "path",
/// "file:///path". Errors: as open_volume(); unsupported for every other URL.
Result<std::string> volume_directory(const std::string& text);

/// The URL of `text` when it means a bucket; else nullopt. Errors: invalid_argument.
Result<std::optional<model::SourceUrl>> volume_bucket(const std::string& text);

}  // namespace lazyvol::publish
