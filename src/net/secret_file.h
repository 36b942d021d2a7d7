// Reading a small file that only its owner may read.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>

#include "lazyvol/error.h"

namespace lazyvol::net {

inline constexpr std::size_t kMaxSecretFile = 64 * 1024;

/// Tells whether a file is still the one that was read.
struct FileStamp {
  std::int64_t mtime_ns = 0, ctime_ns = 0;
  std::uint64_t size = 0, inode = 0;
  bool operator==(const FileStamp&) const = default;
};

struct SecretFile {
  std::string bytes;
  FileStamp stamp;
};

/// Reads `path` whole. Errors: not_found, access_denied (unreadable, owned by someone else than
/// this user and root, or with any permission for group and others), invalid_argument (not a
/// regular file), too_large, io_error. Messages show the path only. Thread-safe.
Result<SecretFile> read_secret_file(const std::string& path);

/// The stamp of `path` as it is now. Errors: as stat(2).
Result<FileStamp> stamp_of(const std::string& path);

}  // namespace lazyvol::net
