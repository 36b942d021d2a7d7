// The folder of the index: who holds it, and what becomes of a damaged one.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "lazyvol/error.h"

namespace lazyvol::cache {

/// Holds `dir`/index for this process, by a lock on `dir`/index.lock that lasts as long as the
/// object. Not thread-safe, except for mark_damaged().
class IndexFolder {
 public:
  /// Makes what is missing. Errors: busy (names the pid that holds it), access_denied, read_only,
  /// no_space, not_directory.
  static Result<std::unique_ptr<IndexFolder>> open(const std::filesystem::path& dir);
  ~IndexFolder();
  IndexFolder(const IndexFolder&) = delete;
  IndexFolder& operator=(const IndexFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path reserve_file() const { return dir_ / "index.reserve"; }

  /// Damage that shows only while the index is in use cannot be mended then (others hold what it
  /// told them): the mark makes the next process begin anew.
  void mark_damaged() const;
  bool is_marked_damaged() const;

  /// Renames the folder to `dir`/index.damaged-TIME and makes an empty one. Of the folders set
  /// aside the newest three are kept. One log line.
  Status set_aside(const std::string& reason) const;

 private:
  IndexFolder(std::filesystem::path dir, int lock);
  void drop_old_ones() const;

  const std::filesystem::path dir_, path_;
  const int lock_;
};

}  // namespace lazyvol::cache
