#include "cache/object_groups.h"

#include <algorithm>
#include <bit>

#include "cache/block_cache_space.h"

namespace lazyvol::cache {

ObjectGroups::ObjectGroups(model::BlockLayout layout)
    : layout_(layout), groups_((layout.count() + kGroupBlocks - 1) / kGroupBlocks) {}

BlockGroup& ObjectGroups::obtain(std::uint32_t group) {
  if (groups_[group] == nullptr) groups_[group] = std::make_unique<BlockGroup>();
  return *groups_[group];
}

std::uint64_t ObjectGroups::existing(std::uint32_t group) const {
  const std::uint64_t first = std::uint64_t{group} * kGroupBlocks;
  const std::uint64_t blocks = std::min<std::uint64_t>(kGroupBlocks, layout_.count() - first);
  return blocks == kGroupBlocks ? ~0ULL : (1ULL << blocks) - 1;
}

void ObjectGroups::load(std::uint32_t group, const GroupRow& row) {
  if (group >= groups_.size()) return;
  BlockGroup& to = obtain(group);
  to.present = to.durable = to.allocated = to.row_present = row.present & existing(group);
  to.sums = row.sums;
  to.use = {.last_ms = row.last_use_ms, .was_read = true, .is_protected = row.is_protected};
  to.row_protected = row.is_protected;
  to.persisted_use_ms = row.last_use_ms;
}

std::uint64_t ObjectGroups::bytes_of(std::uint32_t group, std::uint64_t mask) const {
  if (mask == 0) return 0;
  const std::uint64_t last = layout_.count() - 1;
  std::uint64_t bytes = static_cast<std::uint64_t>(std::popcount(mask)) * model::kBlockSize;
  if (group_of(last) == group && (mask & bit_of(last)) != 0) {
    bytes -= model::kBlockSize - Space::on_disk(layout_.length_of(last));
  }
  return bytes;
}

void ObjectGroups::queue(std::uint32_t group) {
  BlockGroup& at = obtain(group);
  if (std::exchange(at.queued, true)) return;
  queued_.push_back(group);
}

std::uint64_t ObjectGroups::drop(std::uint32_t group, std::uint64_t mask) {
  BlockGroup* at = find(group);
  if (at == nullptr) return 0;
  const std::uint64_t gone = at->present & mask;
  if (gone == 0) return 0;
  for (auto* bits :
       {&at->present, &at->durable, &at->committing, &at->verified, &at->read_through}) {
    *bits &= ~gone;
  }
  at->generation++;
  at->row_dirty = true;
  return gone;
}

bool ObjectGroups::begin_commit() {
  working_ = std::exchange(queued_, {});
  bool data = false;
  for (const auto group : working_) {
    BlockGroup& at = *groups_[group];
    at.queued = false;
    at.committing = at.present & ~at.durable;
    data = data || at.committing != 0;
  }
  return data;
}

std::uint64_t ObjectGroups::discard_committing() {
  std::uint64_t lost = 0;
  for (const auto group : working_) {
    lost += static_cast<std::uint64_t>(std::popcount(drop(group, groups_[group]->committing)));
  }
  return lost;
}

void ObjectGroups::end_commit(bool ok) {
  for (const auto group : working_) {
    BlockGroup& at = *groups_[group];
    at.committing = 0;
    if (!ok) queue(group);
  }
  working_.clear();
}

GroupRow ObjectGroups::row(const model::ContentKey& key, std::uint32_t group,
                           bool with_committing) const {
  const BlockGroup& at = *groups_[group];
  GroupRow row;
  row.content = key;
  row.last_use_ms = at.use.last_ms;
  row.is_protected = at.use.is_protected;
  row.present = at.durable | (with_committing ? at.committing : 0);
  row.sums = at.sums;
  return row;
}

RowChange ObjectGroups::change(std::uint32_t group, const GroupRow& row) const {
  const BlockGroup& at = *groups_[group];
  const auto before = static_cast<std::int64_t>(bytes_of(group, at.row_present));
  const auto after = static_cast<std::int64_t>(bytes_of(group, row.present));
  return {.bytes = after - before,
          .protected_bytes = (row.is_protected ? after : 0) - (at.row_protected ? before : 0)};
}

void ObjectGroups::applied(std::uint32_t group, const GroupRow& row) {
  BlockGroup& at = *groups_[group];
  // At once, not when the commit ends: the next row may be the evictor's, and must name these too.
  const std::uint64_t synced = row.present & at.committing;
  at.durable |= synced;
  at.verified &= ~synced;
  at.row_present = row.present;
  at.row_protected = row.is_protected;
  at.persisted_use_ms = row.last_use_ms;
  at.row_dirty = (at.row_present & ~at.present) != 0;  // dropped since the row was made
}

std::uint64_t ObjectGroups::begin_punch(std::uint32_t group, std::uint64_t mask) {
  BlockGroup* at = find(group);
  if (at == nullptr) return 0;
  mask &= at->allocated & ~at->present & ~at->writing & ~at->punching & ~at->row_present;
  at->punching |= mask;
  return mask;
}

std::uint64_t ObjectGroups::end_punch(std::uint32_t group, std::uint64_t mask, bool punched) {
  BlockGroup& at = *groups_[group];
  at.punching &= ~mask;
  if (!punched) return 0;
  at.allocated &= ~mask;
  return bytes_of(group, mask);
}

bool ObjectGroups::idle_and_empty() const {
  return std::all_of(groups_.begin(), groups_.end(), [](const auto& at) {
    return at == nullptr || (at->present | at->writing | at->punching) == 0;
  });
}

std::uint64_t ObjectGroups::forget_space() {
  std::uint64_t bytes = 0;
  for (std::uint32_t group = 0; group < count(); ++group) {
    if (find(group) == nullptr) continue;
    bytes += bytes_of(group, std::exchange(find(group)->allocated, 0));
  }
  return bytes;
}

void ObjectGroups::for_each(const std::function<void(std::uint32_t, BlockGroup&)>& visit) {
  for (std::uint32_t group = 0; group < count(); ++group) {
    if (groups_[group] != nullptr) visit(group, *groups_[group]);
  }
}

}  // namespace lazyvol::cache
