// What is known of an object's blocks in memory: a state machine over bit masks, without I/O.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "cache/object_format.h"
#include "cache/recency.h"
#include "model/content.h"

namespace lazyvol::cache {

/// 64 blocks. Bit i stands for block group * 64 + i. Invariants: present and allocated-only blocks
/// are disjoint from punching; durable and committing are parts of present.
struct BlockGroup {
  std::uint64_t present = 0;     ///< may be read
  std::uint64_t durable = 0;     ///< data on disk for sure, may stand in the index row
  std::uint64_t committing = 0;  ///< being synced by the commit under way
  std::uint64_t verified =
      0;  ///< checksum seen right, or the bytes are our own and not yet on disk
  std::uint64_t read_through = 0;  ///< read to its last byte since it is in memory
  std::uint64_t writing = 0;       ///< a store is under way
  std::uint64_t punching = 0;      ///< a hole is being made
  std::uint64_t allocated = 0;     ///< takes disk space, present or not
  std::uint64_t row_present = 0;   ///< what the index row says
  bool row_protected = false;
  bool row_dirty = false;  ///< the row differs from what it should say, data aside
  bool queued = false;     ///< in the list of groups to commit
  std::uint32_t generation =
      0;  ///< counts drops: a reader that saw another value read nothing sure
  Use use;
  std::uint64_t persisted_use_ms = 0;
  std::array<std::uint64_t, kGroupBlocks> sums{};
};

/// The change that a group row makes to the sums in the MetaRow.
struct RowChange {
  std::int64_t bytes = 0;
  std::int64_t protected_bytes = 0;
};

/// All groups of one object. Not thread-safe: its ObjectContent's lock guards it.
class ObjectGroups {
 public:
  explicit ObjectGroups(model::BlockLayout layout);

  static std::uint32_t group_of(std::uint64_t block) {
    return static_cast<std::uint32_t>(block / kGroupBlocks);
  }
  static std::uint64_t bit_of(std::uint64_t block) { return 1ULL << (block % kGroupBlocks); }

  /// nullptr while nothing is known of it.
  BlockGroup* find(std::uint32_t group) { return groups_[group].get(); }
  const BlockGroup* find(std::uint32_t group) const { return groups_[group].get(); }
  BlockGroup& obtain(std::uint32_t group);
  std::uint32_t count() const { return static_cast<std::uint32_t>(groups_.size()); }

  /// The bits of blocks that the object has.
  std::uint64_t existing(std::uint32_t group) const;
  /// Takes over a row of the index. Bits beyond the object's end are ignored.
  void load(std::uint32_t group, const GroupRow& row);

  /// Disk space of the blocks of `mask`, in whole pages.
  std::uint64_t bytes_of(std::uint32_t group, std::uint64_t mask) const;

  /// Puts the group into the list for the next commit.
  void queue(std::uint32_t group);

  /// Takes `mask` out of sight; answers with what was there. The row still has to be written.
  std::uint64_t drop(std::uint32_t group, std::uint64_t mask);

  /// Begins a commit with all groups queued so far. True when there are data to sync.
  bool begin_commit();
  const std::vector<std::uint32_t>& committing() const { return working_; }
  /// The sync failed: blocks that it was for are dropped. Answers with how many.
  std::uint64_t discard_committing();
  /// Ends it; without `ok` its groups are queued again.
  void end_commit(bool ok);

  /// The row to write for a group: with the blocks of the commit under way, or without. An empty
  /// `present` means that the row is to be erased.
  GroupRow row(const model::ContentKey& key, std::uint32_t group, bool with_committing) const;
  RowChange change(std::uint32_t group, const GroupRow& row) const;
  /// The row was written. Blocks of the commit under way that it names are durable now, and are to
  /// be verified at their next read. No other row of the group was made since this one.
  void applied(std::uint32_t group, const GroupRow& row);

  /// Marks what of `mask` takes space without being present as being punched; answers with it.
  std::uint64_t begin_punch(std::uint32_t group, std::uint64_t mask);
  /// Ends it; answers with the bytes given back.
  std::uint64_t end_punch(std::uint32_t group, std::uint64_t mask, bool punched);

  /// True when no block is present and nothing is under way.
  bool idle_and_empty() const;
  /// The file is gone: nothing takes space any more. Answers with the bytes given back.
  std::uint64_t forget_space();
  /// Calls `visit(group)` for each group that is in memory.
  void for_each(const std::function<void(std::uint32_t, BlockGroup&)>& visit);

 private:
  model::BlockLayout layout_;
  std::vector<std::unique_ptr<BlockGroup>> groups_;
  std::vector<std::uint32_t> queued_, working_;
};

}  // namespace lazyvol::cache
