// System calls on files that have to be durable, as values or errors.
//
// Thread rule: pure functions of the file system.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lazyvol/error.h"
#include "source/dir_root.h"

namespace lazyvol::publish {

using source::Fd;

/// Writes all of `bytes`. `name` is for messages.
Status write_all(const Fd& file, std::string_view bytes, std::string_view name);
/// Up to `limit` bytes from `offset`; fewer at the end of the file.
Result<std::string> read_some(const Fd& file, std::uint64_t offset, std::uint64_t limit,
                              std::string_view name);
/// Makes the names in a directory durable.
Status sync_directory(const std::string& path);
/// Makes a directory and its missing parents, each durable in the one above it. `path` is absolute.
Status make_directories(const std::string& path);

/// How a try to lock ended.
enum class Locking : std::uint8_t { locked, held_by_other, not_supported };
/// flock(2), exclusive, without waiting. The lock goes with the last descriptor of the open file.
Locking try_lock(const Fd& file);

}  // namespace lazyvol::publish
