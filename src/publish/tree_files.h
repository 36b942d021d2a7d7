// Files of the tree that is published, reached below one descriptor so that no symbolic link or
// rename can lead out of it.
//
// System calls: openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS (Linux 5.6). Extended
// attributes are read by path, of /proc/self/fd or of a directory that the thread has entered,
// since there is no call that takes a directory and a name. Thread rule: pure functions of the file
// system.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/entry.h"
#include "lazyvol/error.h"
#include "publish/tree.h"
#include "source/dir_root.h"

namespace lazyvol::publish {

using source::Fd;

/// Opens `path` (relative; empty: the root itself; of any length) with `flags`. Errors: those of
/// openat2, with `path` in the message.
Result<Fd> open_below(const Fd& root, std::string_view path, int flags);

Stamp stamp_of(const struct stat& status);

/// The extended attributes that are published: user.* and security.capability, in order of names.
/// `follow`: the last link of `path`. Errors: too_large for more than an entry
/// can hold, with `shown` in the message.
Result<std::vector<catalog::Xattr>> read_xattrs(const std::string& path, bool follow,
                                                std::string_view shown);

/// "/proc/self/fd/N"
std::string proc_path(const Fd& file);

}  // namespace lazyvol::publish
