#include "cache/object_store.h"

#include <algorithm>

namespace lazyvol::cache {

std::shared_ptr<ObjectContent> ObjectStore::content(const model::ContentKey& key,
                                                    std::uint64_t size) {
  auto content = registry_.get(
      key, [&] { return std::make_shared<ObjectContent>(shared_, *this, key, size); });
  content->load();
  return content;
}

std::shared_ptr<ObjectContent> ObjectStore::stored(const model::ContentKey& key) {
  if (auto held = registry_.find(key)) return held;
  const auto value = shared_.index->get(Keyspace::objects, key.view());
  if (!value.ok() || !value->has_value()) return nullptr;
  const auto row = decode_object_row(**value);
  if (!row || row->size < kObjectMinBytes) return nullptr;
  return content(key, row->size);
}

std::shared_ptr<ObjectContent> ObjectStore::held(const model::ContentKey& key) const {
  return registry_.find(key);
}

Result<std::uint64_t> ObjectStore::drop(const std::vector<Victim>& victims, bool even_unindexed) {
  const std::lock_guard one(drop_mutex_);
  std::vector<Victim> gone;
  Status written;
  std::uint64_t freed = 0;
  {
    auto meta = shared_.meta.lock();
    MetaRow next = *meta;
    IndexBatch batch;
    for (const auto& victim : victims) {
      auto parts = victim.content->drop(victim.parts, batch, next);
      if (!parts.empty()) gone.push_back({victim.content, std::move(parts)});
    }
    if (gone.empty()) return std::uint64_t{0};
    batch.put(Keyspace::objects, kMetaKey, encode_meta_row(next));
    written = shared_.index->write(std::move(batch), true);
    if (written.ok()) {
      *meta = next;
      for (const auto& victim : gone) victim.content->applied();
    } else {
      for (const auto& victim : gone) freed += victim.content->drop_failed(even_unindexed);
    }
  }
  if (written.ok()) {
    for (const auto& victim : gone) freed += victim.content->free_dropped(victim.parts);
  } else {
    unindexed_bytes_.fetch_add(freed);
  }
  if (!written.ok() && !even_unindexed) return written.error();
  return freed;
}

void ObjectStore::drop_row(const std::string& key, std::uint64_t bytes) {
  auto meta = shared_.meta.lock();
  MetaRow next = *meta;
  next.count(-static_cast<std::int64_t>(bytes), 0);
  IndexBatch batch;
  batch.erase(Keyspace::blocks, key);
  batch.put(Keyspace::objects, kMetaKey, encode_meta_row(next));
  if (!shared_.index->write(std::move(batch), false).ok()) return;
  *meta = next;
  meta.unlock();
  // Its space was given back already when its file was removed ahead of it in this life.
  std::uint64_t known = unindexed_bytes_.load();
  while (!unindexed_bytes_.compare_exchange_weak(known, known - std::min(known, bytes))) {
  }
  shared_.space.add_objects(-static_cast<std::int64_t>(bytes - std::min(known, bytes)));
}

std::uint64_t ObjectStore::evict(std::shared_ptr<ObjectContent> content,
                                 std::vector<GroupPart> parts) {
  std::vector<Victim> victims;
  victims.push_back({std::move(content), std::move(parts)});
  const auto freed = drop(victims, false);
  if (!freed.ok()) return 0;
  shared_.counters.evicted_bytes.fetch_add(*freed, std::memory_order_relaxed);
  return *freed;
}

std::vector<std::shared_ptr<ObjectContent>> ObjectStore::take_dirty() {
  std::unordered_set<std::shared_ptr<ObjectContent>> taken;
  taken.swap(dirty_.lock()->contents);
  return {taken.begin(), taken.end()};
}

void ObjectStore::note_dirty(std::shared_ptr<ObjectContent> content) {
  auto dirty = dirty_.lock();
  if (!dirty->closed) dirty->contents.insert(std::move(content));
}

void ObjectStore::close() {
  dirty_.lock()->closed = true;
  take_dirty();
}

}  // namespace lazyvol::cache
