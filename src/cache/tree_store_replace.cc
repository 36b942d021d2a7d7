// Replacing a listing: both the old and the new one are walked in order of names, so that only what
// differs is written.
#include <xxhash.h>

#include <unordered_map>
#include <utility>
#include <vector>

#include "base/log.h"
#include "cache/directory_codec.h"
#include "cache/tree_store.h"
#include "cache/tree_store_keys.h"

namespace lazyvol::cache {
namespace {

// Places of new ids are written ahead of the listing in batches of this size: until the listing
// names them they are unreachable, and so the one atomic batch holds little more than the chunks.
constexpr std::size_t kPlacesPerBatch = 16 * 1024;

struct Vanished {
  std::string name;
  NodeType type = NodeType::file;
};

std::uint64_t hash(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

// What a new listing changes in an old one.
struct Difference {
  std::unordered_map<std::string, std::uint64_t> old_chunks;  // key → hash of the value
  std::unordered_map<NodeId, Vanished> vanished;              // ids that no name holds any more
  std::vector<const StoredEntry*> moved;  // entries whose id had another name in this directory
  std::vector<const StoredEntry*> added;  // all others whose id was not at this name
};

// Compares an old listing, chunk by chunk, with a new one.
class Comparer {
 public:
  explicit Comparer(const std::vector<StoredEntry>& now) : now_(&now) {}

  void old_chunk(std::string_view key, std::string_view value) {
    result_.old_chunks.emplace(key, hash(value));
    ChunkCursor cursor(value);
    while (cursor.next()) old_entry(cursor);
    damaged_ = damaged_ || !cursor.status().ok();
  }

  // The result, once the whole old listing was seen.
  Difference finish() {
    while (at_ < now_->size()) placed_.push_back(&(*now_)[at_++]);
    for (const StoredEntry* entry : placed_) {
      const bool moved = result_.vanished.erase(entry->id) > 0;
      (moved ? result_.moved : result_.added).push_back(entry);
    }
    return std::move(result_);
  }

  bool damaged() const { return damaged_; }

 private:
  void old_entry(const ChunkCursor& old) {
    while (at_ < now_->size() && (*now_)[at_].remote.name < old.name()) {
      placed_.push_back(&(*now_)[at_++]);
    }
    if (at_ < now_->size() && (*now_)[at_].remote.name == old.name()) {
      const StoredEntry& entry = (*now_)[at_++];
      if (entry.id == old.id()) return;
      placed_.push_back(&entry);
    }
    result_.vanished.emplace(old.id(), Vanished{std::string(old.name()), old.type()});
  }

  const std::vector<StoredEntry>* now_;
  std::size_t at_ = 0;
  bool damaged_ = false;
  std::vector<const StoredEntry*> placed_;
  Difference result_;
};

Status check_listing(const DirectoryHeader& header, const std::vector<StoredEntry>& sorted) {
  if (header.validator.size() > kMaxStoredText) {
    return Error{Code::too_large, "the validator of a listing is too long"};
  }
  const StoredEntry* before = nullptr;
  for (const StoredEntry& entry : sorted) {
    LAZYVOL_TRY(check_storable(entry));
    if (before != nullptr && entry.remote.name <= before->remote.name) {
      return Error{Code::invalid_argument, "the entries of a listing are not in order"};
    }
    before = &entry;
  }
  return {};
}

// Adds the chunks that differ to `batch` and removes those that are no longer used.
void put_listing(IndexBatch& batch, const std::string& prefix,
                 const std::vector<StoredEntry>& sorted,
                 std::unordered_map<std::string, std::uint64_t>& old_chunks) {
  ChunkEncoder encoder;
  const auto put = [&] {
    const std::string key = prefix + encoder.first_name();
    const std::string value = encoder.take();
    const auto old = old_chunks.find(key);
    const bool same = old != old_chunks.end() && old->second == hash(value);
    if (!same) batch.put(Keyspace::directories, key, value);
    if (old != old_chunks.end()) old_chunks.erase(old);
  };
  for (const StoredEntry& entry : sorted) {
    encoder.add(entry);
    if (encoder.size() >= kChunkTargetBytes) put();
  }
  if (!encoder.empty()) put();
  for (const auto& [key, value_hash] : old_chunks) batch.erase(Keyspace::directories, key);
}

// Adds the places of `added` to `last`, after writing all but the last few in batches of their own.
Status put_places(Index& index, VolumeId volume, NodeId directory, const Difference& difference,
                  IndexBatch& last) {
  const auto put = [&](IndexBatch& batch, const StoredEntry& entry) {
    batch.put(Keyspace::nodes, node_key(volume, entry.id),
              encode_place(directory, entry.remote.name));
  };
  IndexBatch ahead;
  std::size_t pending = 0;
  for (const StoredEntry* entry : difference.added) {
    put(ahead, *entry);
    if (++pending < kPlacesPerBatch) continue;
    LAZYVOL_TRY(index.write(std::exchange(ahead, IndexBatch()), false));
    pending = 0;
  }
  last = std::move(ahead);
  for (const StoredEntry* entry : difference.moved) put(last, *entry);
  return {};
}

// Removes the places of vanished ids, unless another directory has them now. Answers with the
// directories among them.
Result<std::vector<NodeId>> erase_places(const TreeStore& store, VolumeId volume, NodeId directory,
                                         const Difference& difference, IndexBatch& batch) {
  std::vector<NodeId> directories;
  for (const auto& [id, was] : difference.vanished) {
    LAZYVOL_TRY_ASSIGN(const auto now, store.place(volume, id));
    if (!now || now->parent != directory || now->name != was.name) continue;
    batch.erase(Keyspace::nodes, node_key(volume, id));
    if (was.type == NodeType::directory) directories.push_back(id);
  }
  return directories;
}

}  // namespace

Status TreeStore::replace(VolumeId volume, NodeId directory, const DirectoryHeader& header,
                          const std::vector<StoredEntry>& sorted) {
  LAZYVOL_TRY(check_listing(header, sorted));
  const std::string prefix = chunk_prefix(volume, directory);
  Comparer comparer(sorted);
  const Status compared =
      index_.scan(Keyspace::directories, prefix, [&](std::string_view key, std::string_view value) {
        comparer.old_chunk(key, value);
        return true;
      });
  if (!compared.ok() && compared.error().code != Code::corrupt) return compared;
  const bool damaged = !compared.ok() || comparer.damaged();
  if (damaged) comparer = Comparer(sorted);  // as if nothing had been there
  Difference difference = comparer.finish();

  IndexBatch batch;
  LAZYVOL_TRY(put_places(index_, volume, directory, difference, batch));
  LAZYVOL_TRY_ASSIGN(const auto gone, erase_places(*this, volume, directory, difference, batch));
  if (damaged) {
    base::log_warn("cache index: a damaged listing is replaced");
    batch.erase_range(Keyspace::directories, prefix, directory_end(volume, directory));
  }
  put_listing(batch, prefix, sorted, difference.old_chunks);
  batch.put(Keyspace::directories, header_key(volume, directory), encode_header(header));
  LAZYVOL_TRY(index_.write(std::move(batch), false));
  for (const NodeId id : gone) LAZYVOL_TRY(forget(volume, id));
  return {};
}

}  // namespace lazyvol::cache
