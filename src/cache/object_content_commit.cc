// The half of ObjectContent that the committer and the evictor use.
#include <algorithm>
#include <bit>

#include "cache/object_content.h"
#include "cache/object_store.h"

namespace lazyvol::cache {

bool ObjectContent::begin_commit() {
  return state_.lock()->groups.begin_commit();
}

Status ObjectContent::sync() {
  auto state = state_.lock();
  if (state->id == 0) return {};  // everything was dropped meanwhile
  const FileId id{FileId::Kind::object, state->id};
  const bool name = std::exchange(state->name_dirty, false);
  LAZYVOL_TRY_ASSIGN(const auto file, file_in(*state));
  state.unlock();
  Status synced = file->sync();
  if (synced.ok() && name) synced = shared_.files.sync_folder(id);
  if (!synced.ok() && name) state_.lock()->name_dirty = true;
  return synced;
}

std::uint64_t ObjectContent::discard_unsynced() {
  return state_.lock()->groups.discard_committing();
}

void ObjectContent::stage_row(State& state, std::uint32_t group, bool with_committing,
                              IndexBatch& batch, MetaRow& meta) {
  GroupRow row = state.groups.row(key_, group, with_committing);
  const RowChange change = state.groups.change(group, row);
  meta.count(change.bytes, change.protected_bytes);
  const std::string key = group_key(state.id, group);
  if (row.present != 0) {
    batch.put(Keyspace::blocks, key, encode_group_row(row));
  } else if (state.groups.find(group)->row_present != 0) {
    batch.erase(Keyspace::blocks, key);
  }
  state.staged.emplace_back(group, std::move(row));
}

bool ObjectContent::stage(IndexBatch& batch, MetaRow& meta) {
  auto state = state_.lock();
  state->staged.clear();
  if (state->id == 0 || state->removing) return false;
  bool durable = false, any = false;
  for (const auto number : state->groups.committing()) {
    stage_row(*state, number, true, batch, meta);
    const std::uint64_t present = state->staged.back().second.present;
    durable = durable || present != state->groups.find(number)->row_present;
    any = any || present != 0;
  }
  if (any && state->row_id != state->id) {
    batch.put(Keyspace::objects, key_.view(),
              encode_object_row({.id = state->id, .size = layout_.size}));
    if (state->row_id == 0) meta.objects++;
  }
  return durable;
}

void ObjectContent::applied() {
  auto state = state_.lock();
  for (const auto& [number, row] : state->staged) {
    if (row.present != 0) state->row_id = state->id;
    state->groups.applied(number, row);
  }
  state->staged.clear();
}

void ObjectContent::end_commit(bool ok) {
  std::vector<GroupPart> holes;
  {
    auto state = state_.lock();
    for (const auto number : state->groups.committing()) {
      const BlockGroup& group = *state->groups.find(number);
      const std::uint64_t dropped = group.allocated & ~group.present;
      if (ok && dropped != 0) holes.push_back({.group = number, .mask = dropped});
    }
    state->groups.end_commit(ok);
  }
  for (const auto& part : holes) punch(part);
  if (!ok) note_dirty();
}

std::optional<ObjectContent::GroupView> ObjectContent::view(std::uint32_t group) const {
  auto state = state_.lock();
  if (group >= state->groups.count()) return std::nullopt;
  const BlockGroup* found = state->groups.find(group);
  if (found == nullptr) return std::nullopt;
  return GroupView{.use = found->use, .present = found->present};
}

std::uint64_t ObjectContent::object_id() const {
  return state_.lock()->id;
}

std::vector<GroupPart> ObjectContent::all_parts() {
  auto state = state_.lock();
  std::vector<GroupPart> parts;
  for (std::uint32_t number = 0; number < state->groups.count(); ++number) {
    const BlockGroup* group = group_in(*state, number);
    if (group != nullptr && group->present != 0) parts.push_back({number, group->present});
  }
  return parts;
}

std::uint64_t ObjectContent::bytes_of(const GroupPart& part) const {
  return state_.lock()->groups.bytes_of(part.group, part.mask);
}

// True when no block is there, in memory or in a row that is not in memory.
bool ObjectContent::nothing_left(State& state) const {
  if (!state.groups.idle_and_empty()) return false;
  if (state.all_loaded) return true;
  bool more = false;
  const Status scanned = shared_.index->scan(
      Keyspace::blocks, group_prefix(state.id), [&](std::string_view at, std::string_view) {
        const auto name = decode_group_key(at);
        more = !name || name->group >= state.groups.count() ||
               state.groups.find(name->group) == nullptr;
        return !more;
      });
  return scanned.ok() && !more;
}

std::vector<GroupPart> ObjectContent::drop(const std::vector<GroupPart>& parts, IndexBatch& batch,
                                           MetaRow& meta) {
  std::vector<GroupPart> gone;
  auto state = state_.lock();
  state->staged.clear();
  if (state->id == 0 || state->removing || state->loans > 0) return gone;
  for (const auto& part : parts) {
    if (part.group >= state->groups.count() || group_in(*state, part.group) == nullptr) continue;
    const std::uint64_t mask = take_away(*state, part.group, part.mask);
    if (mask == 0) continue;
    gone.push_back({part.group, mask});
    stage_row(*state, part.group, false, batch, meta);
  }
  if (gone.empty() || !nothing_left(*state)) return gone;
  state->removing = true;
  state->groups.for_each([&](std::uint32_t number, BlockGroup& group) {
    const bool staged = std::any_of(state->staged.begin(), state->staged.end(),
                                    [&](const auto& one) { return one.first == number; });
    // Rows that still name blocks found damaged before.
    if (!staged && group.row_present != 0) stage_row(*state, number, false, batch, meta);
  });
  if (state->row_id != 0) {
    batch.erase(Keyspace::objects, key_.view());
    if (meta.objects > 0) meta.objects--;
  }
  return gone;
}

std::uint64_t ObjectContent::free_dropped(const std::vector<GroupPart>& parts) {
  if (state_.lock()->removing) return remove_file();
  std::uint64_t freed = 0;
  for (const auto& part : parts) freed += punch(part);
  return freed;
}

std::uint64_t ObjectContent::drop_failed(bool remove) {
  auto state = state_.lock();
  for (const auto& [number, row] : state->staged) state->groups.queue(number);
  state->staged.clear();
  const bool removing = state->removing;
  if (!remove) state->removing = false;
  state.unlock();
  settled_.notify_all();
  if (removing && remove) return remove_file();
  note_dirty();
  return 0;
}

std::uint64_t ObjectContent::punch(GroupPart part) {
  std::shared_ptr<CacheFile> file;
  {
    auto state = state_.lock();
    if (!punchable(*state)) return 0;
    part.mask = state->groups.begin_punch(part.group, part.mask);
    if (part.mask == 0) return 0;
    auto opened = file_in(*state);
    if (opened.ok()) file = *std::move(opened);
  }
  Status punched = file != nullptr ? Status() : Status(Error{Code::not_found, "no file"});
  const std::uint64_t first = std::uint64_t{part.group} * kGroupBlocks;
  for (std::uint64_t rest = part.mask; rest != 0 && punched.ok();) {
    const int skip = std::countr_zero(rest);
    const int run = std::countr_one(rest >> skip);
    const std::uint64_t blocks = (run == 64 ? ~0ULL : ((1ULL << run) - 1)) << skip;
    punched = file->punch(model::BlockLayout::offset_of(first + static_cast<unsigned>(skip)),
                          bytes_of({part.group, blocks}));
    rest &= ~blocks;
  }
  auto state = state_.lock();
  const std::uint64_t freed = state->groups.end_punch(part.group, part.mask, punched.ok());
  state.unlock();
  settled_.notify_all();
  shared_.space.add_objects(-static_cast<std::int64_t>(freed));
  if (!punched.ok() && punched.error().code == Code::unsupported) store_.no_holes();
  return freed;
}

std::uint64_t ObjectContent::remove_file() {
  auto state = state_.lock();
  const FileId file{FileId::Kind::object, state->id};
  const std::uint64_t bytes = state->groups.forget_space();
  state->groups.for_each([](std::uint32_t, BlockGroup& group) {
    group.row_present = 0;
    group.row_protected = false;
  });
  state->id = 0;
  state->row_id = 0;
  state->removing = false;
  state->name_dirty = false;
  state->all_loaded = true;
  state->file.reset();
  state.unlock();
  settled_.notify_all();
  if (!shared_.files.remove(file).ok()) return 0;  // found again by the sweep after a crash
  shared_.space.add_objects(-static_cast<std::int64_t>(bytes));
  return bytes;
}

void ObjectContent::reclaim_leaks() {
  for (const auto number : [&] {
         auto state = state_.lock();
         std::vector<std::uint32_t> all(state->groups.count());
         for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
         return all;
       }()) {
    auto state = state_.lock();
    if (state->id == 0) return;
    static_cast<void>(group_in(*state, number));
    BlockGroup& group = state->groups.obtain(number);
    const std::uint64_t unnamed =
        state->groups.existing(number) & ~group.allocated & ~group.writing;
    if (unnamed == 0) continue;
    group.allocated |= unnamed;  // as far as anyone knows
    const std::uint64_t bytes = state->groups.bytes_of(number, unnamed);
    state.unlock();
    shared_.space.add_objects(static_cast<std::int64_t>(bytes));
    punch({number, unnamed});
  }
}

}  // namespace lazyvol::cache
