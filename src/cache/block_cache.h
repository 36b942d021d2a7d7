// The block cache: verified bytes of remote contents on a local disk. Knows no network.
//
// Layout, durability rule and eviction: docs/cache.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lazyvol/error.h"
#include "lazyvol/local_file.h"
#include "model/content.h"

namespace lazyvol::cache {

class Index;

struct CacheOptions {
  std::filesystem::path dir;
  std::optional<std::uint64_t> max_bytes;  ///< cache-size; unset = bounded by the free space alone
  double free_space_ratio = 0.1;           ///< share of the file system that stays free
  std::uint64_t max_dirty_bytes = 64ULL << 20;  ///< stored but not yet committed
  std::chrono::milliseconds commit_interval{1'000};
  std::chrono::milliseconds probe_interval{5'000};  ///< while writes are suspended, between tries
  /// Test seam: called before each disk write of cached bytes; an errno > 0 fails it. `what` is an
  /// operation and a file: "write objects/01/0000000000000001", "sync slabs/3", "punch …", "create
  /// …".
  std::function<int(std::string_view what)> fault = nullptr;
  /// The same before each disk read of cached bytes.
  std::function<int(std::string_view what)> read_fault = nullptr;
};

struct CacheStats {
  std::uint64_t bytes = 0;             ///< on disk now, object files and slabs and index
  std::uint64_t limit_bytes = 0;       ///< what eviction keeps it under, as of now
  std::uint64_t hits = 0, misses = 0;  ///< blocks
  std::uint64_t stored_blocks = 0, evicted_bytes = 0;
  std::uint64_t corrupt_blocks = 0;   ///< checksum mismatches found and dropped
  std::uint64_t bypassed_blocks = 0;  ///< not stored: disk full, failing or read-only
  std::uint64_t objects = 0, slabs = 0;
  bool writable = true;         ///< false while writes are suspended
  std::string writable_reason;  ///< why not
};

struct CheckReport {
  std::uint64_t blocks_checked = 0, bytes_checked = 0, corrupt_blocks = 0;
};

/// One content, open. Keeps the content's presence bitmap in memory and, while it exists, keeps the
/// content from being forgotten whole (single blocks may still be evicted). Thread-safe.
class CachedContent {
 public:
  virtual ~CachedContent() = default;
  virtual const model::ContentKey& key() const = 0;
  virtual const model::BlockLayout& layout() const = 0;

  /// True when a read of `block` would probably hit. No I/O for objects.
  virtual bool has(std::uint64_t block) const = 0;

  /// Copies bytes of `block` from `offset` in it to `out` (which must lie inside the block).
  /// The block's checksum is verified at the first read after this content was opened, and again
  /// after what this process stored has reached the disk. Errors: not_found when it is not here (or
  /// was found damaged: dropped, counted, and to be fetched again). Any disk error counts as
  /// not_found: the caller goes to the source.
  virtual Status read(std::uint64_t block, std::uint32_t offset, std::span<std::byte> out) = 0;

  /// Stores a whole block (bytes.size() == layout().length_of(block)); readable at once. Evicts
  /// when needed. Blocks its caller for disk speed: call from a worker. Errors (no_space, io_error)
  /// mean the block is not cached and are already counted and logged; the bytes are still good.
  virtual Status store(std::uint64_t block, std::span<const std::byte> bytes) = 0;

  /// Drops what is stored of this content, unless it is lent. Answers with the bytes freed.
  virtual std::uint64_t evict() = 0;

  /// The file that holds all of this content, to be read past the cache. Null while some of it is
  /// missing, or was not verified since it is on the disk for sure: verifying it then begins, on a
  /// thread of the cache, and a later call finds it done. Null always for contents that have no
  /// file of their own, and when the file cannot be opened.
  virtual std::unique_ptr<LocalFile> lend() { return nullptr; }
};

/// Owns one cache directory (held by a lock file). Opens without scanning what it holds.
class BlockCache {
 public:
  /// Errors: busy (another daemon has the directory), access_denied, read_only, no_space,
  /// not_directory; each with one line that names the directory and the fix.
  static Result<std::shared_ptr<BlockCache>> open(CacheOptions options);
  virtual ~BlockCache() = default;

  /// The same object for the same key while anyone holds it. Never fails: without a usable index
  /// the content is just empty. `size` must be the same at every call for a key.
  virtual std::shared_ptr<CachedContent> content(const model::ContentKey& key,
                                                 std::uint64_t size) = 0;

  /// The index that this cache lives in, for metadata kept beside the blocks.
  virtual Index& index() = 0;
  virtual CacheStats stats() const = 0;
  /// Changes the limits at run time.
  virtual void set_limits(std::optional<std::uint64_t> max_bytes, double free_space_ratio) = 0;
  /// Evicts until at most `target_bytes` are stored. Answers with the bytes freed.
  virtual Result<std::uint64_t> trim(std::uint64_t target_bytes) = 0;
  /// Verifies everything that is stored; damaged blocks are dropped. Runs beside readers.
  virtual Result<CheckReport> check(const std::function<bool(const CheckReport&)>& progress) = 0;
  /// Makes everything stored so far durable. Used by tests and by shutdown. Errors: why writes are
  /// suspended, when they are.
  virtual Status commit() = 0;
};

}  // namespace lazyvol::cache
