#include "cache/slab_store.h"

#include <xxhash.h>

#include <algorithm>

#include "base/units.h"
#include "cache/recency.h"
#include "cache/slab_content.h"

namespace lazyvol::cache {
namespace {

constexpr std::uint64_t kLargestSlab = 128 * base::kMiB;
constexpr std::uint64_t kSmallestSlab = 4 * base::kMiB;
constexpr std::uint64_t kWritebackStep = 1 * base::kMiB;

}  // namespace

void Slab::mark_used(std::uint32_t offset) {
  const std::uint64_t cell = offset / kUsedCell;
  auto& word = used[cell / 64 % kUsedWords];
  const std::uint64_t bit = 1ULL << (cell % 64);
  if ((word.load(std::memory_order_relaxed) & bit) == 0) {
    word.fetch_or(bit, std::memory_order_relaxed);
  }
}

bool Slab::was_used(std::uint32_t offset) const {
  const std::uint64_t cell = offset / kUsedCell;
  return (used[cell / 64 % kUsedWords].load(std::memory_order_relaxed) & 1ULL << (cell % 64)) != 0;
}

SlabStore::SlabStore(CacheShared& shared, std::uint64_t next_slab)
    : shared_(shared), next_slab_(next_slab) {}

Status SlabStore::load() {
  auto state = state_.lock();
  LAZYVOL_TRY(shared_.index->scan(Keyspace::slabs, kSlabListPrefix,
                                  [&](std::string_view key, std::string_view value) {
                                    const auto number = decode_slab_list_key(key);
                                    const auto row = decode_slab_row(value);
                                    if (!number || !row) return true;
                                    auto slab = std::make_shared<Slab>(*number);
                                    slab->size = row->bytes;
                                    slab->last_append_ms = row->last_append_ms;
                                    slab->sealed = row->sealed;
                                    slab->listed = true;
                                    state->slabs.emplace(*number, std::move(slab));
                                    return true;
                                  }));
  for (const auto& [number, slab] : state->slabs) {
    if (!slab->sealed) {  // of an earlier life that ended at once: it may be longer than it was
                          // known
      const auto file = shared_.files.open(file_id(number));
      if (file.ok()) slab->size = Space::on_disk((*file)->size().ok() ? *(*file)->size() : 0);
    }
    shared_.space.add_slabs(static_cast<std::int64_t>(slab->size));
  }
  return {};
}

std::shared_ptr<SlabContent> SlabStore::content(const model::ContentKey& key, std::uint64_t size) {
  return registry_.get(key,
                       [&] { return std::make_shared<SlabContent>(shared_, *this, key, size); });
}

std::uint64_t SlabStore::slab_size() const {
  const std::uint64_t wanted = shared_.space.capacity() / 8 / base::kMiB * base::kMiB;
  return std::clamp(wanted, kSmallestSlab, kLargestSlab);
}

std::uint64_t SlabStore::rescue_room() const {
  const auto state = state_.lock();
  return state->slabs.empty() ? 0 : state->slabs.begin()->second->size / 2;
}

Result<std::shared_ptr<Slab>> SlabStore::slab_for(State& state, std::uint64_t bytes) {
  if (state.current != nullptr && state.current->size + bytes > slab_size()) state.current.reset();
  if (state.current == nullptr) {
    auto slab = std::make_shared<Slab>(next_slab_.fetch_add(1));
    LAZYVOL_TRY_ASSIGN(const auto file, shared_.files.create(file_id(slab->number)));
    slab->own = slab->name_dirty = true;
    state.slabs.emplace(slab->number, slab);
    state.current = std::move(slab);
  }
  return state.current;
}

Result<SlabLocation> SlabStore::append(const SlabKey& key, std::span<const std::byte> bytes,
                                       std::uint64_t sum, const SlabLocation* instead_of) {
  const std::uint64_t room = slab_aligned(bytes.size());
  std::shared_ptr<Slab> slab;
  SlabLocation at;
  {
    auto state = state_.lock();
    LAZYVOL_TRY_ASSIGN(slab, slab_for(*state, room));
    at = {.slab = slab->number,
          .offset = static_cast<std::uint32_t>(slab->size),
          .length = static_cast<std::uint32_t>(bytes.size()),
          .sum = sum};
    slab->size += room;
    slab->appending++;
    slab->last_append_ms = coarse_now_ms();
    shared_.space.add_slabs(static_cast<std::int64_t>(room));
  }
  auto file = shared_.files.open(file_id(at.slab));
  Status written =
      file.ok() ? (*file)->write_at(at.offset, {}, bytes) : Status(std::move(file).error());

  auto state = state_.lock();
  slab->appending--;
  if (!written.ok()) return std::move(written).error();
  slab->entries.push_back({.key = key, .at = at});
  const bool superseded = instead_of != nullptr &&
                          (is_erased(*state, key, *instead_of) || state->pending.contains(key));
  if (!superseded) state->pending[key] = at;
  const std::uint64_t from = slab->written_back;
  const std::uint64_t to = at.offset + room;
  const bool write_back = to >= from + kWritebackStep;
  if (write_back) slab->written_back = to;
  state.unlock();
  if (write_back) (*file)->start_writeback(from, to - from);
  return at;
}

bool SlabStore::is_erased(const State& state, const SlabKey& key, const SlabLocation& at) {
  const auto [first, last] = state.erased.equal_range(key);
  return std::any_of(first, last, [&](const auto& gone) { return gone.second == at; });
}

std::optional<SlabLocation> SlabStore::find(const SlabKey& key) const {
  std::vector<SlabLocation> gone;  // a commit may erase the row, and forget this, after we read it
  {
    const auto state = state_.lock();
    const auto found = state->pending.find(key);
    if (found != state->pending.end()) return found->second;
    const auto [first, last] = state->erased.equal_range(key);
    for (auto at = first; at != last; ++at) gone.push_back(at->second);
  }
  const auto value = shared_.index->get(Keyspace::slabs, key.view());
  if (!value.ok() || !value->has_value()) return std::nullopt;
  const auto at = decode_slab_location(**value);
  if (!at || std::find(gone.begin(), gone.end(), *at) != gone.end()) return std::nullopt;
  const auto state = state_.lock();
  if (is_erased(*state, key, *at) || !state->slabs.contains(at->slab)) return std::nullopt;
  return at;
}

bool SlabStore::pending(const SlabKey& key, const SlabLocation& at) const {
  const auto state = state_.lock();
  const auto found = state->pending.find(key);
  return found != state->pending.end() && found->second == at;
}

Status SlabStore::read(const SlabLocation& at, std::uint32_t offset,
                       std::span<std::byte> out) const {
  if (!exists(at.slab)) return Error{Code::not_found, "the slab was dropped"};
  const auto file = shared_.files.open(file_id(at.slab));
  if (!file.ok() && file.error().code == Code::not_found) return file.error();
  if (!file.ok()) return Error{Code::busy, file.error().message};
  return (*file)->read_at(std::uint64_t{at.offset} + offset, out);
}

Status SlabStore::check(const SlabKey& key, const SlabLocation& at) {
  auto buffer = shared_.buffers.take();
  const std::span<std::byte> bytes(buffer.get(), at.length);
  Status got = read(at, 0, bytes);
  if (got.ok() && XXH3_64bits(bytes.data(), bytes.size()) != at.sum) {
    got = Error{Code::corrupt, "the checksum does not match"};
  }
  shared_.buffers.give_back(std::move(buffer));
  if (got.ok()) return got;
  const Code code = got.error().code;
  if (code == Code::not_found || code == Code::busy) return Error{Code::not_found, "not there"};
  if (find(key) != at) return Error{Code::not_found, "not there any more"};
  forget(key, at);
  report_damage(at, got.error());
  return Error{Code::corrupt, "a damaged block"};
}

void SlabStore::report_damage(const SlabLocation& at, const Error& why) const {
  shared_.health.report_damage(shared_.counters, shared_.files.name(file_id(at.slab)) + " at " +
                                                     std::to_string(at.offset) + " (" +
                                                     why.message + ")");
}

void SlabStore::mark_used(const SlabLocation& at) {
  const auto state = state_.lock();
  const auto found = state->slabs.find(at.slab);
  // Reading what was just stored is no sign that it will be read again.
  if (found == state->slabs.end() || found->second == state->current) return;
  found->second->mark_used(at.offset);
}

void SlabStore::forget(const SlabKey& key, const SlabLocation& at) {
  auto state = state_.lock();
  const auto found = state->pending.find(key);
  if (found != state->pending.end() && found->second == at) state->pending.erase(found);
  if (!is_erased(*state, key, at)) state->erased.emplace(key, at);
}

void SlabStore::seal_current() {
  state_.lock()->current.reset();
}

std::uint64_t SlabStore::count() const {
  return state_.lock()->slabs.size();
}

bool SlabStore::exists(std::uint64_t slab) const {
  return state_.lock()->slabs.contains(slab);
}

}  // namespace lazyvol::cache
