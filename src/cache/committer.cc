#include "cache/committer.h"

#include <algorithm>

#include "base/workers.h"

namespace lazyvol::cache {

Committer::Committer(CacheShared& shared, ObjectStore& objects, SlabStore& slabs)
    : shared_(shared), objects_(objects), slabs_(slabs) {}

Committer::~Committer() {
  stop();
}

void Committer::start(std::function<void()> maintain, std::function<bool()> probe) {
  maintain_ = std::move(maintain);
  probe_ = std::move(probe);
  thread_ = std::thread([this] {
    base::name_this_thread("lv-commit");
    run();
  });
}

void Committer::stop() {
  dirty_.lock()->stopping = true;
  wake_.notify_all();
  room_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// A small cache cannot hold much that is not committed: only committed blocks can be told apart by
// use.
std::uint64_t Committer::max_dirty() const {
  return std::max<std::uint64_t>(
      std::min(shared_.options.max_dirty_bytes, shared_.space.capacity() / 8), 1);
}

void Committer::run() {
  for (;;) {
    const std::uint64_t enough = max_dirty();
    {
      auto dirty = dirty_.lock();
      wake_.wait_for(dirty.native(), shared_.options.commit_interval,
                     [&] { return dirty->stopping || dirty->waiting >= enough; });
      if (dirty->stopping) return;
    }
    // A failure is told by Health, and tried again: while writes are suspended with the probe only.
    if (shared_.health.probe_due(base::system_clock().now())) {
      if (probe_() && commit().ok()) shared_.health.resume();
    } else if (shared_.health.writable()) {
      static_cast<void>(commit());
    }
    maintain_();
  }
}

void Committer::stored(std::uint64_t bytes) {
  const std::uint64_t enough = max_dirty();
  auto dirty = dirty_.lock();
  dirty->waiting += bytes;
  if (dirty->waiting >= enough) wake_.notify_one();
}

void Committer::wait_for_room() {
  const std::uint64_t most = 2 * shared_.options.max_dirty_bytes;
  auto dirty = dirty_.lock();
  room_.wait(dirty.native(), [&] {
    return dirty->stopping || !shared_.health.writable() ||
           dirty->waiting + dirty->committing <= most;
  });
}

Status Committer::commit() {
  const std::lock_guard one(commit_mutex_);
  {
    auto dirty = dirty_.lock();
    dirty->committing = std::exchange(dirty->waiting, 0);
  }
  const Contents contents = objects_.take_dirty();
  for (const auto& content : contents) static_cast<void>(content->begin_commit());
  const bool slabs = slabs_.begin_commit();
  Status result;
  bool written = true;
  if (!contents.empty() || slabs) {
    result = sync(contents);
    Status rows = write_rows(contents, slabs);
    written = rows.ok();
    if (!rows.ok()) result = std::move(rows);
    for (const auto& content : contents) content->end_commit(written);
  }
  if (!result.ok()) shared_.health.suspend(result.error());
  {
    auto dirty = dirty_.lock();
    const std::uint64_t amount = std::exchange(dirty->committing, 0);
    if (!written) dirty->waiting += amount;
  }
  room_.notify_all();
  return result;
}

Status Committer::sync(const Contents& contents) {
  Status first;
  std::uint64_t lost = 0;
  for (const auto& content : contents) {
    Status synced = content->sync();
    if (synced.ok()) continue;
    lost += content->discard_unsynced();
    if (first.ok()) first = std::move(synced);
  }
  Status synced = slabs_.sync(lost);
  if (first.ok()) first = std::move(synced);
  shared_.counters.bypassed_blocks.fetch_add(lost, std::memory_order_relaxed);
  return first;
}

Status Committer::write_rows(const Contents& contents, bool slabs) {
  auto meta = shared_.meta.lock();
  MetaRow next = *meta;
  next.next_object = objects_.next_id();
  next.next_slab = slabs_.next_slab();
  IndexBatch batch;
  bool durable = slabs;
  for (const auto& content : contents) {
    if (content->stage(batch, next)) durable = true;
  }
  if (slabs) slabs_.stage(batch);
  batch.put(Keyspace::objects, kMetaKey, encode_meta_row(next));
  LAZYVOL_TRY(shared_.index->write(std::move(batch), durable));
  *meta = next;
  for (const auto& content : contents) content->applied();
  if (slabs) slabs_.applied();
  return {};
}

}  // namespace lazyvol::cache
