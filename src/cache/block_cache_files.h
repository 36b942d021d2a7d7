// The data files of a cache directory: object files and slabs, opened through a bounded set of fds.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/locked.h"
#include "lazyvol/error.h"

namespace lazyvol::cache {

/// Fails an operation of the given name ("write objects/00/…") when it answers with an errno > 0.
using FaultHook = std::function<int(std::string_view what)>;

struct FileHooks {
  FaultHook write;  ///< before write, sync, punch, create; may be null
  FaultHook read;   ///< before read; may be null
};

struct FileId {
  enum class Kind : std::uint8_t { object, slab };
  Kind kind = Kind::object;
  std::uint64_t number = 0;
  bool operator==(const FileId&) const = default;
};

/// One open data file. Thread-safe; the fd closes with the last reference.
class CacheFile {
 public:
  CacheFile(int fd, std::string name, const FileHooks& hooks);
  ~CacheFile();
  CacheFile(const CacheFile&) = delete;
  CacheFile& operator=(const CacheFile&) = delete;

  /// Fills `out` from `offset`. A file that ends early is io_error.
  Status read_at(std::uint64_t offset, std::span<std::byte> out) const;
  /// Writes all of `head` followed by all of `bytes` at `offset`.
  Status write_at(std::uint64_t offset, std::span<const std::byte> head,
                  std::span<const std::byte> bytes);
  /// Asks the kernel to begin writing a range to the disk. A hint: errors show in sync().
  void start_writeback(std::uint64_t offset, std::uint64_t length) noexcept;
  /// fdatasync.
  Status sync();
  /// Gives the range's disk space back; it reads as zeros afterwards. Errors: unsupported where the
  /// file system has no holes.
  Status punch(std::uint64_t offset, std::uint64_t length);
  Result<std::uint64_t> size() const;
  /// Another descriptor of the open file, the caller's. -1 when there are too many.
  int duplicate() const;
  /// Whether mark_lent() was called for this file, in this life of the process or before. True
  /// when it cannot be told.
  bool was_lent() const;
  /// Notes on the file that others may have mapped it. Errors: as fchmod(2).
  Status mark_lent();
  /// Notes that the file is in use, so that its fd is kept before others.
  void touch() const { used_.store(true, std::memory_order_relaxed); }

 private:
  friend class CacheFiles;
  Status check(const FaultHook& hook, std::string_view verb) const;

  const int fd_;
  const std::string name_;
  const FileHooks& hooks_;
  mutable std::atomic<bool> used_{true};
};

/// Finds and makes data files. Keeps at most `max_open` fds of its own; files in use by others are
/// closed when they let go. Thread-safe.
class CacheFiles {
 public:
  CacheFiles(std::filesystem::path dir, FileHooks hooks, std::size_t max_open);

  /// Errors: not_found, io_error, … A file that cannot be opened for writing (a read-only disk) is
  /// opened for reading.
  Result<std::shared_ptr<CacheFile>> open(FileId id);
  /// Makes the file (and its folder), empty, whatever was there.
  Result<std::shared_ptr<CacheFile>> create(FileId id);
  /// Removes it; readers that hold it go on. One that is not there is fine.
  Status remove(FileId id);
  /// Makes the names in the file's folder durable.
  Status sync_folder(FileId id);

  std::string name(FileId id) const;  ///< relative to the cache directory
  std::filesystem::path path(FileId id) const { return dir_ / name(id); }
  const std::filesystem::path& dir() const { return dir_; }
  std::size_t open_count() const;

 private:
  struct Hash {
    std::size_t operator()(const FileId& id) const noexcept {
      return std::hash<std::uint64_t>()(id.number * 2 + (id.kind == FileId::Kind::slab ? 1 : 0));
    }
  };
  using Ring = std::list<std::pair<FileId, std::shared_ptr<CacheFile>>>;
  struct Open {
    Ring ring;  // a clock: looked at from the front, spared ones go to the back
    std::unordered_map<FileId, Ring::iterator, Hash> by_id;
  };
  Result<std::shared_ptr<CacheFile>> open_as(FileId id, bool create);
  std::shared_ptr<CacheFile> keep(FileId id, std::shared_ptr<CacheFile> file);
  void forget(FileId id);

  const std::filesystem::path dir_;
  const FileHooks hooks_;
  const std::size_t max_open_;
  base::Locked<Open> open_;
};

}  // namespace lazyvol::cache
