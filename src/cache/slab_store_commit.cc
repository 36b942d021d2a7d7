// The half of SlabStore that the committer and the evictor use.
#include <xxhash.h>

#include <algorithm>

#include "cache/block_cache_shared.h"
#include "cache/recency.h"
#include "cache/slab_store.h"

namespace lazyvol::cache {
namespace {

// Rows erased under one hold of the meta lock, so that a commit never waits for a whole slab.
constexpr std::size_t kEraseAtOnce = 256;

}  // namespace

bool SlabStore::begin_commit() {
  const auto state = state_.lock();
  work_.clear();
  for (const auto& [number, slab] : state->slabs) {
    if (!slab->own || slab->sealed) continue;
    const bool full = slab != state->current && slab->appending == 0;
    if (!full && slab->committed == slab->entries.size()) continue;
    work_.push_back({.slab = slab, .upto = slab->entries.size(), .seal = full});
  }
  erasing_.assign(state->erased.begin(), state->erased.end());
  return !work_.empty() || !erasing_.empty();
}

// Nothing is appended to a full slab, so its entries may be read without the lock.
Status SlabStore::seal(const Work& work) {
  const std::uint64_t size = work.slab->size;
  const std::string footer = encode_slab_footer(work.slab->number, size, work.slab->entries);
  LAZYVOL_TRY_ASSIGN(const auto file, shared_.files.open(file_id(work.slab->number)));
  return file->write_at(size, {}, std::as_bytes(std::span(footer)));
}

// The sync failed: what it was for is not stored after all.
std::uint64_t SlabStore::give_up(Work& work) {
  work.failed = true;
  std::uint64_t lost = 0;
  const auto state = state_.lock();
  for (std::size_t i = work.slab->committed; i < work.upto; ++i) {
    const SlabEntry& entry = work.slab->entries[i];
    const auto found = state->pending.find(entry.key);
    if (found == state->pending.end() || found->second != entry.at) continue;
    state->pending.erase(found);
    lost++;
  }
  work.slab->committed = work.upto;
  return lost;
}

Status SlabStore::sync(std::uint64_t& lost_blocks) {
  Status first;
  for (auto& work : work_) {
    const auto sync_one = [&]() -> Status {
      if (work.seal) LAZYVOL_TRY(seal(work));
      LAZYVOL_TRY_ASSIGN(const auto file, shared_.files.open(file_id(work.slab->number)));
      LAZYVOL_TRY(file->sync());
      LAZYVOL_TRY_ASSIGN(const std::uint64_t size, file->size());
      if (work.slab->name_dirty) LAZYVOL_TRY(shared_.files.sync_folder(file_id(work.slab->number)));
      const auto state = state_.lock();
      work.slab->name_dirty = false;
      work.row = {.bytes = Space::on_disk(size),
                  .last_append_ms = work.slab->last_append_ms,
                  .sealed = work.seal};
      return {};
    };
    Status synced = sync_one();
    if (synced.ok()) continue;
    lost_blocks += give_up(work);
    if (first.ok()) first = std::move(synced);
  }
  return first;
}

void SlabStore::stage(IndexBatch& batch) {
  // A row is erased only while it still says what was to go: the block may be stored anew.
  for (const auto& [key, at] : erasing_) {
    const auto value = shared_.index->get(Keyspace::slabs, key.view());
    if (value.ok() && value->has_value() && decode_slab_location(**value) == at) {
      batch.erase(Keyspace::slabs, key.view());
    }
  }
  const auto state = state_.lock();
  for (auto& work : work_) {
    if (work.failed) continue;
    if (!state->slabs.contains(work.slab->number)) continue;
    for (std::size_t i = work.slab->committed; i < work.upto; ++i) {
      const SlabEntry& entry = work.slab->entries[i];
      const auto found = state->pending.find(entry.key);
      if (found == state->pending.end() || found->second != entry.at) continue;
      batch.put(Keyspace::slabs, entry.key.view(), encode_slab_location(entry.at));
    }
    batch.put(Keyspace::slabs, slab_list_key(work.slab->number), encode_slab_row(work.row));
  }
}

void SlabStore::applied() {
  auto state = state_.lock();
  for (auto& work : work_) {
    if (work.failed) continue;
    Slab& slab = *work.slab;
    for (std::size_t i = slab.committed; i < work.upto; ++i) {
      const auto found = state->pending.find(slab.entries[i].key);
      if (found != state->pending.end() && found->second == slab.entries[i].at) {
        state->pending.erase(found);
      }
    }
    slab.committed = work.upto;
    slab.listed = true;
    if (!work.seal) continue;
    slab.sealed = true;
    shared_.space.add_slabs(static_cast<std::int64_t>(work.row.bytes) -
                            static_cast<std::int64_t>(slab.size));
    slab.size = work.row.bytes;
    slab.entries = {};
    slab.committed = 0;
  }
  for (const auto& [key, at] : erasing_) {
    const auto [first, last] = state->erased.equal_range(key);
    const auto found =
        std::find_if(first, last, [&](const auto& gone) { return gone.second == at; });
    if (found != last) state->erased.erase(found);
  }
  erasing_.clear();
}

std::optional<std::uint64_t> SlabStore::oldest_ms() const {
  const auto state = state_.lock();
  for (const auto& [number, slab] : state->slabs) {
    if (slab->sealed || !slab->own) return slab->last_append_ms;
  }
  return std::nullopt;
}

// What the slab holds: from its footer, or, when a crash left it without one, from the index.
Result<std::vector<SlabEntry>> SlabStore::list(const Slab& slab) const {
  const auto file = shared_.files.open(file_id(slab.number));
  if (file.ok()) {
    auto entries = read_slab_footer(**file, slab.number);
    if (entries.ok()) return entries;
  }
  std::vector<SlabEntry> entries;
  LAZYVOL_TRY(
      shared_.index->scan(Keyspace::slabs, "", [&](std::string_view key, std::string_view value) {
        SlabEntry entry;
        if (key.size() != entry.key.bytes.size()) return true;
        const auto at = decode_slab_location(value);
        if (!at || at->slab != slab.number) return true;
        std::memcpy(entry.key.bytes.data(), key.data(), key.size());
        entry.at = *at;
        entries.push_back(entry);
        return true;
      }));
  return entries;
}

// Appends what was used since again. Answers with the bytes appended.
std::uint64_t SlabStore::rescue(const Slab& slab, const std::vector<SlabEntry>& entries) {
  if (!shared_.health.writable()) return 0;
  std::uint64_t rescued = 0;
  auto buffer = shared_.buffers.take();
  for (const auto& entry : entries) {
    if (!slab.was_used(entry.at.offset) || entry.at.length > model::kBlockSize) continue;
    if (rescued + entry.at.length > slab.size / 2) break;
    if (find(entry.key) != entry.at) continue;  // stored anew, or gone
    const std::span<std::byte> bytes(buffer.get(), entry.at.length);
    if (!read(entry.at, 0, bytes).ok()) continue;
    if (XXH3_64bits(bytes.data(), bytes.size()) != entry.at.sum) continue;
    if (!append(entry.key, bytes, entry.at.sum, &entry.at).ok()) break;
    rescued += slab_aligned(entry.at.length);
  }
  shared_.buffers.give_back(std::move(buffer));
  return rescued;
}

Status SlabStore::erase_rows(const Slab& slab, const std::vector<SlabEntry>& entries) {
  for (std::size_t from = 0; from < entries.size(); from += kEraseAtOnce) {
    const std::size_t to = std::min(entries.size(), from + kEraseAtOnce);
    const auto meta = shared_.meta.lock();
    IndexBatch batch;
    for (std::size_t i = from; i < to; ++i) {
      LAZYVOL_TRY_ASSIGN(const auto value,
                         shared_.index->get(Keyspace::slabs, entries[i].key.view()));
      if (!value) continue;
      const auto at = decode_slab_location(*value);
      if (at && at->slab == slab.number) batch.erase(Keyspace::slabs, entries[i].key.view());
    }
    LAZYVOL_TRY(shared_.index->write(std::move(batch), false));
  }
  // Durable last: it makes those before it durable too, and until then the slab is whole.
  const auto meta = shared_.meta.lock();
  IndexBatch batch;
  batch.erase(Keyspace::slabs, slab_list_key(slab.number));
  return shared_.index->write(std::move(batch), true);
}

Result<std::uint64_t> SlabStore::drop_oldest(const std::function<Status()>& commit,
                                             bool even_unindexed) {
  std::shared_ptr<Slab> slab;
  {
    const auto state = state_.lock();
    for (const auto& [number, each] : state->slabs) {
      if (!each->sealed && each->own) continue;
      slab = each;
      break;
    }
  }
  if (slab == nullptr) return std::uint64_t{0};
  const auto drop_rows = [&]() -> Status {
    LAZYVOL_TRY_ASSIGN(const auto entries, list(*slab));
    if (rescue(*slab, entries) > 0) LAZYVOL_TRY(commit());
    return erase_rows(*slab, entries);
  };
  Status dropped = drop_rows();
  if (!dropped.ok() && !even_unindexed) return std::move(dropped).error();
  {
    auto state = state_.lock();
    state->slabs.erase(slab->number);
  }
  LAZYVOL_TRY(shared_.files.remove(file_id(slab->number)));
  shared_.space.add_slabs(-static_cast<std::int64_t>(slab->size));
  return slab->size;
}

}  // namespace lazyvol::cache
