#include "cache/object_content.h"

#include <xxhash.h>

#include <bit>
#include <cstring>

#include "cache/object_store.h"

namespace lazyvol::cache {
namespace {

// Contents of up to 1 GiB have all their rows in memory while they are open (150 KB at most); of
// larger ones a row is read when its group is first asked for.
constexpr std::uint32_t kLoadAllGroups = 256;
constexpr int kReadAttempts = 3;
// The disk is told to begin once for so many bytes, when the last of them are written: most often
// blocks come in order, and the commit syncs what is left.
constexpr std::uint64_t kStretch = 1U << 20;

bool ends_stretch(std::uint64_t offset) {
  return offset % kStretch == 0;
}

Error absent() {
  return Error{Code::not_found, "not in the cache"};
}

}  // namespace

ObjectContent::ObjectContent(CacheShared& shared, ObjectStore& store, const model::ContentKey& key,
                             std::uint64_t size)
    : shared_(shared),
      store_(store),
      owner_(shared.owner.lock()),
      key_(key),
      layout_{size},
      state_(std::in_place, model::BlockLayout{size}) {}

ObjectContent::~ObjectContent() {
  store_.released(key_);
}

void ObjectContent::load() {
  auto state = state_.lock();
  if (std::exchange(state->loaded, true)) return;
  const auto value = shared_.index->get(Keyspace::objects, key_.view());
  if (!value.ok() || !value->has_value()) return;
  const auto row = decode_object_row(**value);
  if (row) state->row_id = row->id;
  if (!row || row->size != layout_.size) return;
  // A proved one is lent next, and what is lent is noted as used in each of its rows.
  state->all_loaded = state->groups.count() <= kLoadAllGroups || store_.proved(row->id);
  bool any = false;
  const Status scanned = shared_.index->scan(Keyspace::blocks, group_prefix(row->id),
                                             [&](std::string_view at, std::string_view bytes) {
                                               any = true;
                                               if (!state->all_loaded) return false;
                                               const auto name = decode_group_key(at);
                                               const auto group = decode_group_row(bytes);
                                               if (name && group && group->content == key_)
                                                 state->groups.load(name->group, *group);
                                               return true;
                                             });
  // An object without blocks has no file worth keeping: the next store makes a new one.
  if (!scanned.ok()) return;
  if (any) {
    state->id = row->id;
  } else {
    static_cast<void>(shared_.files.remove({FileId::Kind::object, row->id}));
  }
}

BlockGroup* ObjectContent::group_in(State& state, std::uint32_t group) const {
  BlockGroup* found = state.groups.find(group);
  if (found != nullptr || state.all_loaded || state.id == 0) return found;
  const auto value = shared_.index->get(Keyspace::blocks, group_key(state.id, group));
  if (!value.ok()) return nullptr;
  const auto row = value->has_value() ? decode_group_row(**value) : std::nullopt;
  if (row && row->content == key_) state.groups.load(group, *row);
  return &state.groups.obtain(group);
}

Result<std::shared_ptr<CacheFile>> ObjectContent::file_in(State& state) const {
  if (auto file = state.file.lock()) {
    file->touch();
    return file;
  }
  auto file = shared_.files.open({FileId::Kind::object, state.id});
  if (file.ok()) state.file = *file;
  return file;
}

bool ObjectContent::has(std::uint64_t block) const {
  if (block >= layout_.count()) return false;
  auto state = state_.lock();
  const BlockGroup* group = group_in(*state, ObjectGroups::group_of(block));
  return group != nullptr && (group->present & ObjectGroups::bit_of(block)) != 0;
}

Result<ObjectContent::ReadPlan> ObjectContent::plan_read(std::uint64_t block) {
  if (block >= layout_.count()) return absent();
  auto state = state_.lock();
  BlockGroup* group = group_in(*state, ObjectGroups::group_of(block));
  const std::uint64_t bit = ObjectGroups::bit_of(block);
  if (group == nullptr || (group->present & bit) == 0) return absent();
  auto file = file_in(*state);
  if (file.ok()) {
    return ReadPlan{.file = *std::move(file),
                    .sum = group->sums[block % kGroupBlocks],
                    .generation = group->generation,
                    .verified = (group->verified & bit) != 0};
  }
  if (file.error().code == Code::not_found) {  // removed by hand, or by a crash amid an emergency
    state->groups.for_each([&](std::uint32_t at, BlockGroup&) {
      if (take_away(*state, at, ~0ULL) != 0) state->groups.queue(at);
    });
    state.unlock();
    note_dirty();
  }
  return absent();
}

Status ObjectContent::read_whole(const ReadPlan& plan, std::uint64_t block,
                                 std::span<std::byte> out) const {
  LAZYVOL_TRY(plan.file->read_at(model::BlockLayout::offset_of(block), out));
  if (XXH3_64bits(out.data(), out.size()) != plan.sum) {
    return Error{Code::corrupt, "the checksum does not match"};
  }
  return {};
}

Status ObjectContent::read_planned(const ReadPlan& plan, std::uint64_t block, std::uint32_t offset,
                                   std::span<std::byte> out) {
  const std::uint32_t length = layout_.length_of(block);
  if (plan.verified) {
    return plan.file->read_at(model::BlockLayout::offset_of(block) + offset, out);
  }
  if (out.size() == length) return read_whole(plan, block, out);
  auto buffer = shared_.buffers.take();
  Status got = read_whole(plan, block, {buffer.get(), length});
  if (got.ok()) std::memcpy(out.data(), buffer.get() + offset, out.size());
  shared_.buffers.give_back(std::move(buffer));
  return got;
}

Status ObjectContent::read(std::uint64_t block, std::uint32_t offset, std::span<std::byte> out) {
  // Again when other blocks of the group were dropped meanwhile.
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    const auto plan = plan_read(block);
    if (!plan.ok()) break;
    if (std::uint64_t{offset} + out.size() > layout_.length_of(block)) {
      return Error{Code::invalid_argument, "a read beyond its block"};
    }
    const Status got = read_planned(*plan, block, offset, out);
    const Outcome outcome = finish_read(*plan, block, offset, out.size(), got);
    if (outcome == Outcome::hit) {
      shared_.counters.hits.fetch_add(1, std::memory_order_relaxed);
      return {};
    }
    if (outcome == Outcome::damaged) break;
  }
  shared_.counters.misses.fetch_add(1, std::memory_order_relaxed);
  return absent();
}

ObjectContent::Outcome ObjectContent::finish_read(const ReadPlan& plan, std::uint64_t block,
                                                  std::uint32_t offset, std::size_t length,
                                                  const Status& got) {
  auto state = state_.lock();
  const std::uint32_t number = ObjectGroups::group_of(block);
  const std::uint64_t bit = ObjectGroups::bit_of(block);
  BlockGroup& group = *state->groups.find(number);
  // Something was dropped meanwhile: what was read may be a hole.
  if (group.generation != plan.generation) return Outcome::moved;
  if (!got.ok()) {
    state.unlock();
    drop_damaged(block, plan.generation, Status(got).error());
    return Outcome::damaged;
  }
  group.verified |= bit;
  const bool again = offset == 0 && (group.read_through & bit) != 0;
  if (offset + length == layout_.length_of(block)) group.read_through |= bit;
  const bool promoted = record_read(group.use, coarse_now_ms(), again);
  if (!promoted && group.use.last_ms < group.persisted_use_ms + kPersistEveryMs) {
    return Outcome::hit;
  }
  if (group.queued) return Outcome::hit;  // already to be written
  state->groups.queue(number);
  state.unlock();
  note_dirty();
  return Outcome::hit;
}

void ObjectContent::drop_damaged(std::uint64_t block, std::uint32_t generation, const Error& why) {
  const std::uint32_t number = ObjectGroups::group_of(block);
  auto state = state_.lock();
  BlockGroup* group = state->groups.find(number);
  if (group == nullptr || group->generation != generation) return;  // another reader was first
  if (take_away(*state, number, ObjectGroups::bit_of(block)) == 0) return;
  state->groups.queue(number);
  const FileId file{FileId::Kind::object, state->id};
  state.unlock();
  note_dirty();
  shared_.health.report_damage(
      shared_.counters,
      shared_.files.name(file) + " block " + std::to_string(block) + " (" + why.message + ")");
}

Status ObjectContent::check(std::uint64_t block) {
  const auto plan = plan_read(block);
  if (!plan.ok()) return plan.error();
  auto buffer = shared_.buffers.take();
  const Status got = read_whole(*plan, block, {buffer.get(), layout_.length_of(block)});
  shared_.buffers.give_back(std::move(buffer));
  auto state = state_.lock();
  BlockGroup& group = *state->groups.find(ObjectGroups::group_of(block));
  if (group.generation != plan->generation) return absent();
  if (got.ok()) {
    group.verified |= ObjectGroups::bit_of(block);
    return {};
  }
  state.unlock();
  drop_damaged(block, plan->generation, Status(got).error());
  return Error{Code::corrupt, "a damaged block"};
}

Status ObjectContent::store(std::uint64_t block, std::span<const std::byte> bytes) {
  if (block >= layout_.count() || bytes.size() != layout_.length_of(block)) {
    return Error{Code::invalid_argument, "not a whole block of its content"};
  }
  if (has(block)) return {};
  bool already = false;
  const auto write = [&]() -> Status {
    LAZYVOL_TRY_ASSIGN(const auto room, shared_.gate->admit(Space::on_disk(bytes.size())));
    auto file = begin_store(block, already);
    if (already) return {};
    if (!file.ok()) {
      shared_.health.suspend(file.error());
      return file.error();
    }
    const std::uint64_t sum = XXH3_64bits(bytes.data(), bytes.size());
    const std::uint64_t at = model::BlockLayout::offset_of(block);
    Status put = (*file)->write_at(at, {}, bytes);
    finish_store(block, put.ok(), sum);
    if (!put.ok()) {
      shared_.health.suspend(put.error());
      return put;
    }
    if (ends_stretch(at + bytes.size()))
      (*file)->start_writeback(at / kStretch * kStretch, kStretch);
    return {};
  };
  Status written = write();
  if (!written.ok()) {
    shared_.counters.bypassed_blocks.fetch_add(1, std::memory_order_relaxed);
    return written;
  }
  if (!already) {
    shared_.counters.stored_blocks.fetch_add(1, std::memory_order_relaxed);
    shared_.gate->stored(bytes.size());
  }
  return {};
}

Result<std::shared_ptr<CacheFile>> ObjectContent::begin_store(std::uint64_t block, bool& already) {
  const std::uint32_t number = ObjectGroups::group_of(block);
  const std::uint64_t bit = ObjectGroups::bit_of(block);
  auto state = state_.lock();
  settled_.wait(state.native(), [&] {
    const BlockGroup* group = state->groups.find(number);
    return !state->removing &&
           (group == nullptr || ((group->writing | group->punching) & bit) == 0);
  });
  const BlockGroup* known = group_in(*state, number);
  already = known != nullptr && (known->present & bit) != 0;
  if (already) return absent();
  if (state->id == 0) LAZYVOL_TRY(make_file(*state));
  auto file = file_in(*state);
  if (!file.ok() && file.error().code == Code::not_found) {  // removed by hand
    file = shared_.files.create({FileId::Kind::object, state->id});
    state->name_dirty = true;
  }
  if (file.ok()) state->groups.obtain(number).writing |= bit;
  return file;
}

Status ObjectContent::make_file(State& state) {
  const std::uint64_t id = store_.new_id();
  LAZYVOL_TRY_ASSIGN(const auto file, shared_.files.create({FileId::Kind::object, id}));
  state.id = id;
  state.file = file;
  state.name_dirty = true;
  return {};
}

void ObjectContent::finish_store(std::uint64_t block, bool ok, std::uint64_t sum) {
  const std::uint32_t number = ObjectGroups::group_of(block);
  const std::uint64_t bit = ObjectGroups::bit_of(block);
  auto state = state_.lock();
  BlockGroup& group = *state->groups.find(number);
  group.writing &= ~bit;
  if ((group.allocated & bit) == 0) {
    group.allocated |= bit;
    shared_.space.add_objects(static_cast<std::int64_t>(state->groups.bytes_of(number, bit)));
  }
  if (ok) {
    group.sums[block % kGroupBlocks] = sum;
    group.present |= bit;
    group.verified |= bit;
    group.use.last_ms = coarse_now_ms();
  }
  state->groups.queue(number);
  state.unlock();
  settled_.notify_all();
  note_dirty();
}

void ObjectContent::note_dirty() {
  store_.note_dirty(shared_from_this());
}

std::uint64_t ObjectContent::evict() {
  return store_.evict(shared_from_this(), all_parts());
}

}  // namespace lazyvol::cache
