// One large content, in a sparse file of its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/locked.h"
#include "cache/block_cache_shared.h"
#include "cache/object_groups.h"

namespace lazyvol::cache {

class ObjectStore;

/// Some blocks of one group of an object, as the evictor names them.
struct GroupPart {
  std::uint32_t group = 0;
  std::uint64_t mask = 0;
};

/// The order of things, which makes every read right (docs/cache.md, "Blocks"):
///   store:  write the data → present. Later: fdatasync → index row.
///   drop:   not present any more → index row → hole. A reader checks the group's generation after
///   it
///           read: what was dropped meanwhile is a miss.
class ObjectContent final : public CachedContent,
                            public std::enable_shared_from_this<ObjectContent> {
 public:
  ObjectContent(CacheShared& shared, ObjectStore& store, const model::ContentKey& key,
                std::uint64_t size);
  ~ObjectContent() override;

  const model::ContentKey& key() const override { return key_; }
  const model::BlockLayout& layout() const override { return layout_; }
  bool has(std::uint64_t block) const override;
  Status read(std::uint64_t block, std::uint32_t offset, std::span<std::byte> out) override;
  Status store(std::uint64_t block, std::span<const std::byte> bytes) override;
  std::uint64_t evict() override;
  std::unique_ptr<LocalFile> lend() override;

  /// Verifies what was not verified since it is on the disk; lend() works from then on until a
  /// block is dropped. Calls `go_on` now and then: false ends it. For the Prover. Errors: not_found
  /// (a block is missing), corrupt (one was damaged), busy (not all is on the disk yet), cancelled.
  Status prove(const std::function<bool()>& go_on);
  /// True while somebody reads the file past the cache: nothing of it may go.
  bool lent() const;
  /// True when somebody may have mapped the file, which outlives every loan: it goes whole, by its
  /// name, or not at all, for a hole would show.
  bool whole_only();

  /// Reads the rows of the index, once. An index that fails leaves the content empty.
  void load();
  /// Reads one block whole and verifies it, whatever was verified before; drops it when damaged.
  /// Errors: corrupt (it was), not_found (it is not there).
  Status check(std::uint64_t block);

  /// One commit, in this order, never two at once: begin (true = there are data to sync), sync,
  /// then under the meta lock stage, the index write, applied; then end.
  bool begin_commit();
  Status sync();
  /// The sync failed: its blocks are not stored after all. Answers with how many.
  std::uint64_t discard_unsynced();
  /// True when it added something that must be durable (more than times of use).
  bool stage(IndexBatch& batch, MetaRow& meta);
  void applied();
  void end_commit(bool ok);

  /// Drops parts, under the meta lock: out of sight at once, and their rows into the batch. Answers
  /// with the parts that were there. When the last block goes, so does the object's own row.
  std::vector<GroupPart> drop(const std::vector<GroupPart>& parts, IndexBatch& batch,
                              MetaRow& meta);
  /// The batch of drop() is on the disk: makes holes, or removes the file. Answers with the bytes
  /// freed.
  std::uint64_t free_dropped(const std::vector<GroupPart>& parts);
  /// The batch of drop() could not be written. Queues the rows; with `remove_file` an object that
  /// is all dropped loses its file all the same (rows without a file are misses).
  std::uint64_t drop_failed(bool remove_file);

  struct GroupView {
    Use use;
    std::uint64_t present = 0;
  };
  /// nullopt when the group is not in memory.
  std::optional<GroupView> view(std::uint32_t group) const;
  std::uint64_t object_id() const;
  /// All groups that have blocks.
  std::vector<GroupPart> all_parts();
  std::uint64_t bytes_of(const GroupPart& part) const;
  /// Makes holes where the file takes space that no row names (left by a crash).
  void reclaim_leaks();

 private:
  struct State {
    explicit State(model::BlockLayout layout) : groups(layout) {}
    ObjectGroups groups;
    bool loaded = false;
    bool all_loaded = true;    // a group that is not in memory has no blocks
    std::uint64_t id = 0;      // 0 = no file
    std::uint64_t row_id = 0;  // what the index says under our key, 0 = no row
    bool removing = false;     // the last block was dropped, the file is going
    unsigned loans = 0;        // who reads the file past us
    bool name_dirty = false;   // the file's name is not durable yet
    std::vector<std::pair<std::uint32_t, GroupRow>> staged;
    std::weak_ptr<CacheFile> file;
  };
  using Guard = base::Locked<State>::Guard;
  struct ReadPlan {
    std::shared_ptr<CacheFile> file;
    std::uint64_t sum = 0;
    std::uint32_t generation = 0;
    bool verified = false;
  };

  /// All that takes blocks out of sight goes through here.
  std::uint64_t take_away(State& state, std::uint32_t group, std::uint64_t mask);
  bool whole(State& state, bool verified) const;
  bool punchable(State& state) const;
  void note_loan(State& state);
  void end_loan();
  BlockGroup* group_in(State& state, std::uint32_t group) const;
  Result<std::shared_ptr<CacheFile>> file_in(State& state) const;
  Result<ReadPlan> plan_read(std::uint64_t block);
  Status read_whole(const ReadPlan& plan, std::uint64_t block, std::span<std::byte> out) const;
  enum class Outcome : std::uint8_t { hit, damaged, moved };
  Status read_planned(const ReadPlan& plan, std::uint64_t block, std::uint32_t offset,
                      std::span<std::byte> out);
  Outcome finish_read(const ReadPlan& plan, std::uint64_t block, std::uint32_t offset,
                      std::size_t length, const Status& got);
  void drop_damaged(std::uint64_t block, std::uint32_t generation, const Error& why);
  Result<std::shared_ptr<CacheFile>> begin_store(std::uint64_t block, bool& already);
  void finish_store(std::uint64_t block, bool ok, std::uint64_t sum);
  Status make_file(State& state);
  void stage_row(State& state, std::uint32_t group, bool with_committing, IndexBatch& batch,
                 MetaRow& meta);
  bool nothing_left(State& state) const;
  std::uint64_t punch(GroupPart part);
  std::uint64_t remove_file();
  void note_dirty();

  CacheShared& shared_;
  ObjectStore& store_;
  const std::shared_ptr<void> owner_;
  const model::ContentKey key_;
  const model::BlockLayout layout_;
  base::Locked<State> state_;
  std::condition_variable settled_;  // writing, punching or removing changed
};

}  // namespace lazyvol::cache
