// The RocksDB index of one cache directory: column families as data, options as measured.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lazyvol/error.h"

namespace lazyvol::cache {

/// One keyspace (a RocksDB column family): what it holds, how long, and what bounds it.
enum class Keyspace : std::uint8_t {
  objects,  ///< content key → object id, size, state; lives until evicted
  blocks,   ///< object id + group of 64 → presence bitmap + XXH3-64 per block; with its object
  slabs,    ///< 16 B block key → slab, offset, length, XXH3-64; until its slab is dropped
  directories,  ///< volume + directory (+ first name) → listing; until the volume is forgotten
  nodes,        ///< volume + node id → directory id + name; with its directory
  volumes,      ///< volume name → volume id, next node id, head; kept
};
inline constexpr std::size_t kKeyspaces = 6;

/// Changes that become visible together, and durable together.
class IndexBatch {
 public:
  IndexBatch();
  ~IndexBatch();
  IndexBatch(IndexBatch&&) noexcept;
  IndexBatch& operator=(IndexBatch&&) noexcept;
  void put(Keyspace space, std::string_view key, std::string_view value);
  void erase(Keyspace space, std::string_view key);
  /// Erases keys in [first, last).
  void erase_range(Keyspace space, std::string_view first, std::string_view last);
  bool empty() const;

  struct Impl;
  /// For the implementation of Index alone.
  static Impl& inside(IndexBatch& batch) { return *batch.impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// Thread-safe. No RocksDB type shows here, and none of its failures is fatal to a reader.
class Index {
 public:
  /// Opens or creates the index below `dir`. A damaged one is set aside (renamed, newest three
  /// kept) and begun anew, with one log line. Errors: busy (another process has it; the message
  /// names its pid when known), access_denied, read_only, no_space.
  static Result<std::unique_ptr<Index>> open(const std::filesystem::path& dir);
  virtual ~Index() = default;

  /// nullopt when absent. Errors: io_error, corrupt.
  virtual Result<std::optional<std::string>> get(Keyspace space, std::string_view key) const = 0;
  /// The last (key, value) with key <= `key` that starts with `prefix`.
  virtual Result<std::optional<std::pair<std::string, std::string>>> get_at_or_before(
      Keyspace space, std::string_view key, std::string_view prefix) const = 0;
  /// Calls `visit` for each key that starts with `prefix`, in order, until it returns false.
  virtual Status scan(
      Keyspace space, std::string_view prefix,
      const std::function<bool(std::string_view, std::string_view)>& visit) const = 0;
  /// `durable`: on disk before it returns. Errors: no_space when the disk is too full to be safe
  /// (nothing was written), io_error.
  virtual Status write(IndexBatch batch, bool durable) = 0;
  /// Bytes on disk, for the cache's accounting.
  virtual std::uint64_t disk_bytes() const = 0;
};

}  // namespace lazyvol::cache
