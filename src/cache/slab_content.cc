#include "cache/slab_content.h"

#include <xxhash.h>

#include <cstring>

namespace lazyvol::cache {
namespace {

Error absent() {
  return Error{Code::not_found, "not in the cache"};
}

}  // namespace

SlabContent::SlabContent(CacheShared& shared, SlabStore& store, const model::ContentKey& key,
                         std::uint64_t size)
    : shared_(shared), store_(store), owner_(shared.owner.lock()), key_(key), layout_{size} {}

SlabContent::~SlabContent() {
  store_.released(key_);
}

SlabContent::Place SlabContent::place_of(std::uint64_t block) const {
  if (block >= layout_.count()) return {};
  {
    const auto places = places_.lock();
    if ((*places)[block].at) return (*places)[block];
  }
  const Place place{.at = store_.find(slab_key(key_, block)), .verified = false};
  // A row of another length is not ours: a collision of hashes, or damage.
  if (!place.at || place.at->length != layout_.length_of(block)) return {};
  remember(block, place);
  return place;
}

void SlabContent::remember(std::uint64_t block, Place place) const {
  (*places_.lock())[block] = place;
}

bool SlabContent::has(std::uint64_t block) const {
  const Place place = place_of(block);
  if (!place.at || store_.exists(place.at->slab)) return place.at.has_value();
  remember(block, {});  // its slab was dropped; it may have been appended again
  return place_of(block).at.has_value();
}

Status SlabContent::read_at(std::uint64_t block, const Place& place, std::uint32_t offset,
                            std::span<std::byte> out) {
  const SlabLocation& at = *place.at;
  if (place.verified || store_.pending(slab_key(key_, block), at)) {
    return store_.read(at, offset, out);
  }
  const auto whole = [&](std::span<std::byte> into) -> Status {
    LAZYVOL_TRY(store_.read(at, 0, into));
    if (XXH3_64bits(into.data(), into.size()) == at.sum) return {};
    return Error{Code::corrupt, "the checksum does not match"};
  };
  Status got;
  if (out.size() == at.length) {
    got = whole(out);
  } else {
    auto buffer = shared_.buffers.take();
    got = whole({buffer.get(), at.length});
    if (got.ok()) std::memcpy(out.data(), buffer.get() + offset, out.size());
    shared_.buffers.give_back(std::move(buffer));
  }
  if (got.ok()) remember(block, {.at = at, .verified = true});
  return got;
}

Status SlabContent::read(std::uint64_t block, std::uint32_t offset, std::span<std::byte> out) {
  // Twice: a slab that was dropped since may have had this block appended again.
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Place place = place_of(block);
    if (!place.at) break;
    if (std::uint64_t{offset} + out.size() > place.at->length) {
      return Error{Code::invalid_argument, "a read beyond its block"};
    }
    const Status got = read_at(block, place, offset, out);
    if (got.ok()) {
      store_.mark_used(*place.at);
      shared_.counters.hits.fetch_add(1, std::memory_order_relaxed);
      return {};
    }
    const Error why = Status(got).error();
    if (why.code == Code::busy) break;
    remember(block, {});
    store_.forget(slab_key(key_, block), *place.at);
    if (why.code == Code::not_found) continue;
    store_.report_damage(*place.at, why);
    break;
  }
  shared_.counters.misses.fetch_add(1, std::memory_order_relaxed);
  return absent();
}

Status SlabContent::store(std::uint64_t block, std::span<const std::byte> bytes) {
  if (block >= layout_.count() || bytes.size() != layout_.length_of(block)) {
    return Error{Code::invalid_argument, "not a whole block of its content"};
  }
  if (has(block)) return {};
  const auto write = [&]() -> Status {
    LAZYVOL_TRY_ASSIGN(const auto room, shared_.gate->admit(slab_aligned(bytes.size())));
    const std::uint64_t sum = XXH3_64bits(bytes.data(), bytes.size());
    auto at = store_.append(slab_key(key_, block), bytes, sum);
    if (!at.ok()) {
      shared_.health.suspend(at.error());
      return at.error();
    }
    remember(block, {.at = *at, .verified = false});
    return {};
  };
  Status written = write();
  if (!written.ok()) {
    shared_.counters.bypassed_blocks.fetch_add(1, std::memory_order_relaxed);
    return written;
  }
  shared_.counters.stored_blocks.fetch_add(1, std::memory_order_relaxed);
  shared_.gate->stored(bytes.size());
  return {};
}

std::uint64_t SlabContent::evict() {
  std::uint64_t bytes = 0;
  for (std::uint64_t block = 0; block < layout_.count(); ++block) {
    const SlabKey key = slab_key(key_, block);
    remember(block, {});
    // Not where we remember it: it may have been appended again since.
    while (const auto at = store_.find(key)) {
      store_.forget(key, *at);
      bytes += at->length;
    }
  }
  return bytes;
}

}  // namespace lazyvol::cache
