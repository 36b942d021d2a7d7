// Profiles (model/profile.h) on the disk.
#pragma once

#include <string>

#include "lazyvol/error.h"
#include "model/profile.h"

namespace lazyvol::daemon {

/// Errors name the file: those of open(2), invalid_argument (no regular file, no profile),
/// too_large.
Result<model::Profile> read_profile(const std::string& path);

/// Replaces `path` in one step, mode 0666 less the umask. Errors name the file.
Status write_profile(const std::string& path, const model::Profile& profile);

}  // namespace lazyvol::daemon
