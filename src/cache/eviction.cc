#include "cache/eviction.h"

#include <algorithm>
#include <bit>
#include <set>

#include "base/log.h"
#include "base/units.h"

namespace lazyvol::cache {
namespace {

constexpr std::size_t kSampleRows = 8;  // looked at for each victim
constexpr std::size_t kPoolMost = 64;   // candidates remembered
const std::string kLastKey(12, '\xff');

// The key just before `key` among keys of its length; the last of all before the first.
std::string before(std::string key) {
  for (std::size_t i = key.size(); i-- > 0;) {
    const auto byte = static_cast<unsigned char>(key[i]);
    key[i] = static_cast<char>(byte - 1);
    if (byte != 0) break;
  }
  return key;
}

// The lowest bits of `mask` that together cover `need` bytes, in whole runs of 16 blocks.
std::uint64_t part_of(std::uint64_t mask, std::uint64_t need) {
  std::uint64_t taken = 0, bytes = 0;
  for (unsigned from = 0; from < kGroupBlocks && bytes < need; from += 16) {
    const std::uint64_t run = mask & 0xffffULL << from;
    taken |= run;
    bytes += static_cast<std::uint64_t>(std::popcount(run)) * model::kBlockSize;
  }
  return taken;
}

}  // namespace

Evictor::Evictor(CacheShared& shared, ObjectStore& objects, SlabStore& slabs,
                 std::function<Status()> commit)
    : shared_(shared),
      objects_(objects),
      slabs_(slabs),
      commit_(std::move(commit)),
      hand_(kLastKey) {}

// Dropping a slab first appends what is worth keeping: room for that is set aside.
std::uint64_t Evictor::usable() {
  const std::uint64_t capacity = shared_.space.capacity();
  return capacity - std::min(slabs_.rescue_room(), capacity / 4);
}

Result<Room> Evictor::make_room(std::uint64_t bytes) {
  Room room(shared_.space, bytes);
  if (shared_.space.content_bytes() <= usable()) return room;
  const std::lock_guard one(mutex_);
  const std::uint64_t most = usable();
  if (shared_.space.content_bytes() > most) free_to(low_watermark(most));
  const bool enough = shared_.space.content_bytes() <= usable();
  tell(enough);
  if (enough) return room;
  return Error{Code::no_space, "the cache's limits leave no room"};
}

void Evictor::enforce() {
  if (shared_.space.content_bytes() <= usable()) return;
  const std::lock_guard one(mutex_);
  free_to(low_watermark(usable()));
}

std::uint64_t Evictor::shrink_to(std::uint64_t content_bytes) {
  const std::lock_guard one(mutex_);
  return free_to(content_bytes);
}

void Evictor::tell(bool has_room) {
  if (short_of_room_ == !has_room) return;
  short_of_room_ = !has_room;
  if (has_room) {
    base::log_info("cache: there is room again, storing goes on");
  } else {
    base::log_warn("cache: cache-size {} and free-space-ratio leave no room; reads go past it",
                   base::format_size(shared_.space.limit()));
  }
}

std::uint64_t Evictor::free_to(std::uint64_t content_bytes) {
  std::uint64_t freed = 0;
  // What can go may be known to memory only, which commits give rows. So before what is protected
  // goes, and before giving up, memory is committed.
  enum class Stage { spare_protected, all, sealed } stage = Stage::spare_protected;
  // What others store meanwhile is not this call's to free: it would run after them for ever.
  const std::uint64_t before = shared_.space.content_bytes();
  for (;;) {
    const std::uint64_t now = shared_.space.content_bytes();
    if (now <= content_bytes || before - content_bytes <= freed) break;
    const auto step_freed = step(now - content_bytes, stage == Stage::spare_protected);
    if (!step_freed.ok()) {
      shared_.health.suspend(step_freed.error());
      break;
    }
    if (*step_freed > 0) {
      freed += *step_freed;
      stage = Stage::spare_protected;
      continue;
    }
    if (stage == Stage::sealed) break;
    stage = stage == Stage::all ? Stage::sealed : Stage::all;
    if (stage == Stage::sealed) slabs_.seal_current();
    // A disk that is too full for a commit is all the more reason to let something go.
    if (!commit_().ok() && stage == Stage::sealed) break;
  }
  shared_.counters.evicted_bytes.fetch_add(freed, std::memory_order_relaxed);
  return freed;
}

// Frees one slab, or parts of as many groups as cover `need`. 0: nothing was found.
Result<std::uint64_t> Evictor::step(std::uint64_t need, bool spare_protected) {
  const std::uint64_t protected_bytes = shared_.meta.lock()->protected_bytes;
  const bool classes = classes_matter(protected_bytes, shared_.space.object_bytes());
  std::vector<ObjectStore::Victim> victims;
  std::set<Place> seen;
  std::uint64_t chosen = 0;
  while (chosen < need) {
    sample();
    const auto best = take_best(classes);
    if (best && !seen.insert(best->first).second) break;  // the hand has been around
    const auto slab_ms = slabs_.oldest_ms();
    const bool slab_first =
        slab_ms && (!best || goes_before({.last_ms = *slab_ms}, best->second.use, classes));
    if (best && !slab_first) {
      if (spare_protected && classes && best->second.use.is_protected) {
        pool_.insert(*best);
        break;
      }
      chosen += add_victim(best->first, best->second, need - chosen, victims);
      continue;
    }
    if (best) pool_.insert(*best);
    if (!victims.empty() || !slab_ms) break;
    auto freed = slabs_.drop_oldest(commit_, false);
    if (!freed.ok() && freed.error().code == Code::no_space) {
      freed = slabs_.drop_oldest(commit_, true);
    }
    return freed;
  }
  if (victims.empty()) return std::uint64_t{0};
  return drop(victims);
}

Result<std::uint64_t> Evictor::drop(std::vector<ObjectStore::Victim>& victims) {
  auto freed = objects_.drop(victims, false);
  if (freed.ok() || freed.error().code != Code::no_space) return freed;
  // The disk is too full even for the index: whole files go without it.
  for (auto& victim : victims) victim.parts = victim.content->all_parts();
  return objects_.drop(victims, true);
}

bool Evictor::advance(std::pair<std::string, std::string>& row) {
  auto found = shared_.index->get_at_or_before(Keyspace::blocks, hand_, "");
  if (!found.ok()) return false;
  if (!found->has_value()) {
    if (hand_ == kLastKey) return false;
    hand_ = kLastKey;
    found = shared_.index->get_at_or_before(Keyspace::blocks, hand_, "");
    if (!found.ok() || !found->has_value()) return false;
  }
  row = **std::move(found);
  hand_ = before(row.first);
  return true;
}

/// Looks at it afresh. False when it may not go: it is lent.
bool Evictor::refresh(const Place& place, Candidate& candidate) const {
  const auto content = objects_.held(candidate.content);
  if (content == nullptr) return true;
  if (content->lent()) return false;
  if (content->object_id() != place.first) return true;
  if (const auto view = content->view(place.second)) {
    candidate.use = view->use;
    candidate.present = view->present;
  }
  return true;
}

void Evictor::sample() {
  std::pair<std::string, std::string> row;
  for (std::size_t i = 0; i < kSampleRows && advance(row); ++i) {
    const auto name = decode_group_key(row.first);
    const auto group = decode_group_row(row.second);
    if (!name || !group) continue;
    const Place place{name->object, name->group};
    Candidate candidate{.content = group->content,
                        .use = {.last_ms = group->last_use_ms,
                                .was_read = true,
                                .is_protected = group->is_protected},
                        .present = group->present};
    pool_.insert_or_assign(place, candidate);
  }
}

std::optional<std::pair<Evictor::Place, Evictor::Candidate>> Evictor::take_best(bool classes) {
  std::vector<Place> order;
  for (auto at = pool_.begin(); at != pool_.end();) {
    if (refresh(at->first, at->second)) {
      order.push_back(at->first);
      ++at;
    } else {
      at = pool_.erase(at);
    }
  }
  if (order.empty()) return std::nullopt;
  std::sort(order.begin(), order.end(), [&](const Place& a, const Place& b) {
    const Use& left = pool_.at(a).use;
    const Use& right = pool_.at(b).use;
    if (goes_before(left, right, classes)) return true;
    return !goes_before(right, left, classes) && a < b;
  });
  for (std::size_t i = kPoolMost; i < order.size(); ++i) pool_.erase(order[i]);
  const auto node = pool_.extract(order.front());
  return std::pair(node.key(), node.mapped());
}

std::uint64_t Evictor::add_victim(const Place& place, const Candidate& candidate,
                                  std::uint64_t need, std::vector<ObjectStore::Victim>& victims) {
  auto content = objects_.stored(candidate.content);
  if (content == nullptr || content->object_id() != place.first) {
    // A row whose object is another by now, or gone.
    objects_.drop_row(
        group_key(place.first, place.second),
        static_cast<std::uint64_t>(std::popcount(candidate.present)) * model::kBlockSize);
    return 0;
  }
  const bool holes = objects_.holes() && !content->whole_only();
  std::vector<GroupPart> parts;
  if (holes) {
    parts.push_back({place.second, part_of(candidate.present, need)});
  } else {
    parts = content->all_parts();
  }
  std::uint64_t bytes = 0;
  for (const auto& part : parts) bytes += content->bytes_of(part);
  if (bytes == 0) return 0;  // dropped already, its row goes with the next commit
  // The same object may be chosen for several groups.
  for (auto& victim : victims) {
    if (victim.content != content) continue;
    if (holes) victim.parts.insert(victim.parts.end(), parts.begin(), parts.end());
    return holes ? bytes : 0;
  }
  victims.push_back({std::move(content), std::move(parts)});
  return bytes;
}

}  // namespace lazyvol::cache
