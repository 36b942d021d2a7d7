// A store that is a directory, local or on a network file system: what any web server can serve.
//
// Objects become visible by rename(2) when they are whole and durable. What is being written lies
// in DIRECTORY/.lazyvol/, each file locked (flock) by its writer; so what a killed publisher left
// there is known by its lock being free, and is removed when the store is opened. Documents are
// replaced under the lock file in the same place.
#pragma once

#include <filesystem>
#include <memory>

#include "lazyvol/error.h"
#include "publish/store.h"

namespace lazyvol::publish {

/// Opens `path`, and makes it (with its parents) when it is missing. The store needs no other
/// process: any number of stores may be open on one directory. Thread rule: as Store.
/// Errors: not_directory, access_denied, read_only, no_space, io_error.
Result<std::unique_ptr<Store>> make_dir_store(const std::filesystem::path& path);

/// As make_dir_store(), for readers: nothing is made, nothing is removed. Errors: not_found, too.
Result<std::unique_ptr<Store>> open_dir_store(const std::filesystem::path& path);

}  // namespace lazyvol::publish
