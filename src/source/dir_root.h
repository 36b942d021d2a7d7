// A local directory tree that cannot be left: every path is resolved by the kernel below one root.
//
// System calls: openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
// (Linux 5.6), statx(2). Mount points below the root are crossed; symbolic links are data.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/locked.h"
#include "lazyvol/entry.h"
#include "lazyvol/error.h"
#include "lazyvol/source.h"

namespace lazyvol::source {

/// A file descriptor that is closed with its owner.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd();
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  int get() const { return fd_; }
  int release();

 private:
  int fd_;
};

/// All calls block on the file system. Thread-safe.
///
/// The validator of a file is "t:<mtime ns>-<ctime ns>-<size>". ctime tells what mtime does not
/// (`cp -p`, `rsync -t`, `touch -d`, a rename over the name), also on NFS, where the server keeps
/// it; the price is that chmod or link(2) makes a new version. The inode number is left out: a
/// replaced file differs in ctime anyway, and some file systems (sshfs, overlays) number anew at
/// each mount. An entry is settled when both times lie 2 s or more in the past, the coarsest clock
/// of a file system in use (FAT, NFS with a skewed server aside).
class DirRoot {
 public:
  /// `path` is absolute; symbolic links in it are followed. Errors: not_found, not_directory,
  /// access_denied, unsupported (a kernel without openat2).
  static Result<std::shared_ptr<DirRoot>> open(std::string path);

  /// All entries but fifos, sockets and devices. Every call reads the directory anew: the
  /// directory's own times tell nothing about the attributes of what is in it. Errors: as
  /// Source::list.
  Result<Listing> list(const std::string& path, const std::stop_token& stop) const;
  /// Errors: as Source::stat.
  Result<RemoteEntry> stat(const std::string& path) const;
  /// Opens a file for reading. Errors: not_found, is_directory, invalid_argument (neither file nor
  /// directory), stale (the NFS server forgot it, twice), …
  Result<Fd> open_file(const std::string& path) const;
  /// What is open now, as stat() would describe it (without a name).
  static Result<RemoteEntry> describe(const Fd& file);

 private:
  explicit DirRoot(std::string path, std::shared_ptr<const Fd> root);

  Result<Fd> resolve(const std::string& path, int flags) const;
  Result<Fd> resolve_once(const std::string& path, int flags, int& error) const;
  Status check_alive() const;
  Status reopen() const;

  const std::string path_;
  const long file_system_;  // as statfs(2) tells its type
  // Replaced when the handle went stale (NFS) or the directory was replaced.
  mutable base::Locked<std::shared_ptr<const Fd>> root_;
};

}  // namespace lazyvol::source
