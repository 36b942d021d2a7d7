// Small files of a mirror: read whole, replaced in one step.
//
// Thread rule: pure but for the disk.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::git {

/// Errors: not_found, too_large past `most` bytes, and those of open(2) and read(2).
Result<std::string> read_file(const std::filesystem::path& path, std::size_t most);
/// Exactly those bytes. Errors: as above; corrupt when the file ends before.
Result<std::string> read_file_part(const std::filesystem::path& path, std::uint64_t offset,
                                   std::size_t length);
/// Writes beside it, makes that durable, renames: whoever looks sees the old bytes or the new ones.
Status replace_file(const std::filesystem::path& path, std::string_view bytes, mode_t mode);
/// Mode 0700; one that is there already stays as it is.
Status make_private_directory(const std::filesystem::path& path);

}  // namespace lazyvol::git
