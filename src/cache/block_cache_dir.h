// The cache directory itself: whose it is, and who holds it.
#pragma once

#include <filesystem>

#include "lazyvol/error.h"

namespace lazyvol::cache {

/// Version of the layout of files and of the rows that describe them.
inline constexpr unsigned kCacheFormat = 2;

/// A cache directory, marked as ours (`lazyvol-cache`) and held by this process (`lock`, flock(2),
/// with the pid in it) until this object goes away.
class CacheDirectory {
 public:
  /// Makes the directory (mode 0700) when it is not there. Errors, each one line that names it and
  /// what to do: busy (with the pid of the holder), invalid_argument (not empty and not ours),
  /// unsupported (a newer format), not_directory, access_denied, read_only, no_space, io_error.
  static Result<CacheDirectory> hold(const std::filesystem::path& dir);
  CacheDirectory(CacheDirectory&& other) noexcept;
  CacheDirectory& operator=(CacheDirectory&&) = delete;
  ~CacheDirectory();

 private:
  explicit CacheDirectory(int lock_fd) : lock_fd_(lock_fd) {}
  int lock_fd_;
};

/// Moves `dir`/objects and `dir`/slabs aside, into `dir`/trash, to be removed later: the index
/// knows nothing of them.
Status set_files_aside(const std::filesystem::path& dir);

}  // namespace lazyvol::cache
