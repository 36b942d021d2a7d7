#include "fetch/frame_memory.h"

#include <utility>

namespace lazyvol::fetch {
namespace {

/// What a frame takes beside its bytes: nodes of the list and the table, the string, the counts.
constexpr std::uint64_t kOverhead = 256;

std::uint64_t cost(const FrameBytes& bytes) {
  return bytes->size() + kOverhead;
}

}  // namespace

FrameMemory::FrameMemory(std::uint64_t page_bytes, std::uint64_t data_bytes) {
  pages_.lock()->limit = page_bytes;
  data_.lock()->limit = data_bytes;
}

FrameBytes FrameMemory::find(const FrameId& id) {
  auto set = set_of(id).lock();
  const auto place = set->places.find(id);
  if (place == set->places.end()) return nullptr;
  set->items.splice(set->items.begin(), set->items, place->second);
  return place->second->bytes;
}

bool FrameMemory::has(const FrameId& id) const {
  return set_of(id).lock()->places.contains(id);
}

void FrameMemory::insert(const FrameId& id, FrameBytes bytes) {
  Items gone;
  auto set = set_of(id).lock();
  const std::uint64_t needed = cost(bytes);
  if (needed > set->limit) return;
  if (const auto place = set->places.find(id); place != set->places.end()) {
    set->items.splice(set->items.begin(), set->items, place->second);
    return;  // equal bytes
  }
  while (set->bytes + needed > set->limit) take_out(*set, std::prev(set->items.end()), gone);
  set->items.push_front({id, std::move(bytes)});
  set->places[id] = set->items.begin();
  set->bytes += needed;
  set.unlock();
}

void FrameMemory::used_up(const FrameId& id) {
  auto set = set_of(id).lock();
  const auto place = set->places.find(id);
  if (place != set->places.end()) {
    set->items.splice(set->items.end(), set->items, place->second);
  }
}

void FrameMemory::erase(const FrameId& id) {
  Items gone;
  auto set = set_of(id).lock();
  const auto place = set->places.find(id);
  if (place != set->places.end()) take_out(*set, place->second, gone);
  set.unlock();
}

void FrameMemory::clear() {
  for (base::Locked<Set>* each : {&pages_, &data_}) {
    Items gone;
    auto set = each->lock();
    while (!set->items.empty()) take_out(*set, set->items.begin(), gone);
    set.unlock();
  }
}

std::uint64_t FrameMemory::bytes() const {
  return pages_.lock()->bytes + data_.lock()->bytes;
}

void FrameMemory::take_out(Set& set, Items::iterator item, Items& gone) {
  set.bytes -= cost(item->bytes);
  set.places.erase(item->id);
  gone.splice(gone.end(), set.items, item);
}

}  // namespace lazyvol::fetch
