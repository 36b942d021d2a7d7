// Small contents, block by block, in append-only files.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/locked.h"
#include "cache/block_cache_registry.h"
#include "cache/block_cache_shared.h"
#include "cache/slab_format.h"

namespace lazyvol::cache {

class SlabContent;

/// One slab file. Fields are guarded by the store's lock, but for `used`.
struct Slab {
  explicit Slab(std::uint64_t as) : number(as) {}

  const std::uint64_t number;
  std::uint64_t size = 0;          ///< of the file, as far as appended
  std::uint64_t written_back = 0;  ///< writeback was begun up to here
  std::uint64_t last_append_ms = 0;
  std::uint32_t appending = 0;     ///< appends under way
  std::vector<SlabEntry> entries;  ///< appended in this life, while it is not sealed
  std::size_t committed = 0;       ///< of entries
  bool own = false;                ///< made in this life: entries is all there is
  bool sealed = false;
  bool listed = false;  ///< has a row in the list
  bool name_dirty = false;
  /// Second chance, lossy: a bit per 16 KiB, set when something there is read.
  static constexpr std::uint64_t kUsedCell = 16 * 1024;
  static constexpr std::size_t kUsedWords = 128;
  std::array<std::atomic<std::uint64_t>, kUsedWords> used{};
  void mark_used(std::uint32_t offset);
  bool was_used(std::uint32_t offset) const;
};

/// Appends blocks, finds them, and drops whole slabs, the oldest first. What is appended is never
/// overwritten, so a reader that holds a slab's file reads right bytes whatever happens to the
/// index. Thread-safe.
class SlabStore {
 public:
  SlabStore(CacheShared& shared, std::uint64_t next_slab);

  /// Reads the list of slabs (one row per slab). Errors: of the index.
  Status load();
  std::shared_ptr<SlabContent> content(const model::ContentKey& key, std::uint64_t size);

  /// Appends a block; found at once. The gate was passed by the caller. With `instead_of` it is a
  /// copy of what lies there, and not found when that was forgotten meanwhile. Errors: of the disk.
  Result<SlabLocation> append(const SlabKey& key, std::span<const std::byte> bytes,
                              std::uint64_t sum, const SlabLocation* instead_of = nullptr);
  /// At most one read of the index.
  std::optional<SlabLocation> find(const SlabKey& key) const;
  /// True until the commit that puts these bytes on the disk.
  bool pending(const SlabKey& key, const SlabLocation& at) const;
  /// Reads part of a block. Errors: not_found when the slab was dropped, busy when it cannot be
  /// opened now; any other means damage.
  Status read(const SlabLocation& at, std::uint32_t offset, std::span<std::byte> out) const;
  void mark_used(const SlabLocation& at);
  /// Reads a block whole and verifies it; forgets it when damaged. Errors: corrupt (it was),
  /// not_found.
  Status check(const SlabKey& key, const SlabLocation& at);
  /// Counts and logs damage at a place.
  void report_damage(const SlabLocation& at, const Error& why) const;
  /// The block is not there any more; its row goes with the next commit.
  void forget(const SlabKey& key, const SlabLocation& at);

  /// One commit, in this order, never two at once; see ObjectContent. True when there is work.
  bool begin_commit();
  /// Syncs, writing footers of full slabs. Blocks of a slab that failed are forgotten; answers with
  /// the first error.
  Status sync(std::uint64_t& lost_blocks);
  void stage(IndexBatch& batch);
  void applied();

  /// When the oldest slab was last appended to; nullopt when none can be dropped.
  std::optional<std::uint64_t> oldest_ms() const;
  /// Drops the oldest slab, after those of its blocks that were used since are appended again (up
  /// to half of it) and `commit` made them durable. Answers with the bytes freed, 0 when there is
  /// none. With `even_unindexed`, the file goes although the index takes no writes.
  Result<std::uint64_t> drop_oldest(const std::function<Status()>& commit, bool even_unindexed);
  /// Ends the slab that is being appended to; the next commit seals it.
  void seal_current();
  /// How much drop_oldest may add before it frees.
  std::uint64_t rescue_room() const;

  std::uint64_t next_slab() const { return next_slab_.load(); }
  std::uint64_t count() const;
  bool exists(std::uint64_t slab) const;
  void released(const model::ContentKey& key) { registry_.released(key); }

 private:
  using Places = std::unordered_map<SlabKey, SlabLocation, SlabKey::Hash>;
  struct State {
    std::map<std::uint64_t, std::shared_ptr<Slab>> slabs;
    std::shared_ptr<Slab> current;
    Places pending;  // appended, not yet in the index
    Places erased;   // in the index, and not to be found any more
  };
  struct Work {
    std::shared_ptr<Slab> slab;
    std::size_t upto = 0;  // entries to commit
    bool seal = false;
    bool failed = false;
    SlabRow row{};
  };
  static bool is_erased(const State& state, const SlabKey& key, const SlabLocation& at);
  static FileId file_id(std::uint64_t slab) { return {FileId::Kind::slab, slab}; }
  std::uint64_t slab_size() const;
  Result<std::shared_ptr<Slab>> slab_for(State& state, std::uint64_t bytes);
  Status seal(const Work& work);
  std::uint64_t give_up(Work& work);
  Result<std::vector<SlabEntry>> list(const Slab& slab) const;
  std::uint64_t rescue(const Slab& slab, const std::vector<SlabEntry>& entries);
  Status erase_rows(const Slab& slab, const std::vector<SlabEntry>& entries);

  CacheShared& shared_;
  std::atomic<std::uint64_t> next_slab_;
  base::Locked<State> state_;
  Registry<SlabContent> registry_;
  // Touched by the commit under way only.
  std::vector<Work> work_;
  std::vector<std::pair<SlabKey, SlabLocation>> erasing_;
};

}  // namespace lazyvol::cache
