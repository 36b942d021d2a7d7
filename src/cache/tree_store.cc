#include "cache/tree_store.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "cache/directory_codec.h"
#include "cache/tree_store_ids.h"
#include "cache/tree_store_keys.h"

namespace lazyvol::cache {
namespace {

constexpr std::size_t kForgetBatchNodes = 32 * 1024;

// The chunk that would hold `name`, with its key.
Result<std::optional<std::pair<std::string, std::string>>> chunk_of(const Index& index,
                                                                    VolumeId volume,
                                                                    NodeId directory,
                                                                    std::string_view name) {
  const std::string prefix = chunk_prefix(volume, directory);
  return index.get_at_or_before(Keyspace::directories, prefix + std::string(name), prefix);
}

// Decodes one chunk into `out`.
Status append_entries(std::string_view chunk, std::vector<StoredEntry>& out) {
  ChunkCursor cursor(chunk);
  while (cursor.next()) out.push_back(cursor.entry());
  return cursor.status();
}

// Packs the entries of one grown chunk anew, as one chunk or several.
void put_chunks(IndexBatch& batch, const std::string& prefix,
                const std::vector<StoredEntry>& entries, std::size_t limit) {
  ChunkEncoder encoder;
  const auto put = [&] {
    const std::string key = prefix + encoder.first_name();
    batch.put(Keyspace::directories, key, encoder.take());
  };
  for (const StoredEntry& entry : entries) {
    encoder.add(entry);
    if (encoder.size() >= limit) put();
  }
  if (!encoder.empty()) put();
}

std::size_t packed_size(const std::vector<StoredEntry>& entries) {
  ChunkEncoder encoder;
  for (const StoredEntry& entry : entries) encoder.add(entry);
  return encoder.size();
}

}  // namespace

Result<std::optional<DirectoryHeader>> TreeStore::header(VolumeId volume, NodeId directory) const {
  LAZYVOL_TRY_ASSIGN(const auto value,
                     index_.get(Keyspace::directories, header_key(volume, directory)));
  if (!value) return std::optional<DirectoryHeader>();
  LAZYVOL_TRY_ASSIGN(auto header, decode_header(*value));
  return std::optional<DirectoryHeader>(std::move(header));
}

Result<std::vector<StoredEntry>> TreeStore::entries(VolumeId volume, NodeId directory) const {
  std::vector<StoredEntry> result;
  Status decoded;
  LAZYVOL_TRY(index_.scan(Keyspace::directories, chunk_prefix(volume, directory),
                          [&](std::string_view, std::string_view chunk) {
                            decoded = append_entries(chunk, result);
                            return decoded.ok();
                          }));
  LAZYVOL_TRY(std::move(decoded));
  return result;
}

Result<std::optional<StoredEntry>> TreeStore::find(VolumeId volume, NodeId directory,
                                                   std::string_view name) const {
  LAZYVOL_TRY_ASSIGN(const auto chunk, chunk_of(index_, volume, directory, name));
  if (!chunk) return std::optional<StoredEntry>();
  ChunkCursor cursor(chunk->second);
  while (cursor.next()) {
    const int order = cursor.name().compare(name);
    if (order == 0) return std::optional<StoredEntry>(cursor.entry());
    if (order > 0) break;
  }
  LAZYVOL_TRY(cursor.status());
  return std::optional<StoredEntry>();
}

Result<std::optional<NodePlace>> TreeStore::place(VolumeId volume, NodeId id) const {
  LAZYVOL_TRY_ASSIGN(const auto value, index_.get(Keyspace::nodes, node_key(volume, id)));
  if (!value) return std::optional<NodePlace>();
  LAZYVOL_TRY_ASSIGN(auto place, decode_place(*value));
  return std::optional<NodePlace>(std::move(place));
}

Status TreeStore::update_header(VolumeId volume, NodeId directory, const DirectoryHeader& header) {
  if (header.validator.size() > kMaxStoredText) {
    return Error{Code::too_large, "the validator of a listing is too long"};
  }
  IndexBatch batch;
  batch.put(Keyspace::directories, header_key(volume, directory), encode_header(header));
  return index_.write(std::move(batch), false);
}

Status TreeStore::update_entry(VolumeId volume, NodeId directory, const StoredEntry& entry) {
  LAZYVOL_TRY(check_storable(entry));
  LAZYVOL_TRY_ASSIGN(const auto chunk, chunk_of(index_, volume, directory, entry.remote.name));
  std::vector<StoredEntry> entries;
  if (chunk) LAZYVOL_TRY(append_entries(chunk->second, entries));
  const auto at = std::find_if(entries.begin(), entries.end(), [&](const StoredEntry& one) {
    return one.remote.name == entry.remote.name;
  });
  if (at == entries.end()) return Error{Code::not_found, "no entry of that name to update"};
  if (*at == entry) return {};

  const StoredEntry old = std::exchange(*at, entry);
  bool orphaned = false;
  IndexBatch batch;
  const bool split = packed_size(entries) > 2 * kChunkTargetBytes;
  put_chunks(batch, chunk_prefix(volume, directory), entries, split ? kChunkTargetBytes : SIZE_MAX);
  if (old.id != entry.id) {
    LAZYVOL_TRY_ASSIGN(const auto was, place(volume, old.id));
    if (was && was->parent == directory && was->name == entry.remote.name) {
      batch.erase(Keyspace::nodes, node_key(volume, old.id));
      orphaned = old.remote.type == NodeType::directory;
    }
    batch.put(Keyspace::nodes, node_key(volume, entry.id),
              encode_place(directory, entry.remote.name));
  }
  LAZYVOL_TRY(index_.write(std::move(batch), false));
  return orphaned ? forget(volume, old.id) : Status();
}

Status TreeStore::forget(VolumeId volume, NodeId directory) {
  // Collect the directories from the top, forget them from the bottom: wherever this is cut short,
  // every listing that remains is still reachable, and a second call finishes.
  std::vector<NodeId> directories{directory};
  std::unordered_set<NodeId> seen{directory};
  for (std::size_t n = 0; n < directories.size(); ++n) {
    LAZYVOL_TRY(index_.scan(Keyspace::directories, chunk_prefix(volume, directories[n]),
                            [&](std::string_view, std::string_view chunk) {
                              ChunkCursor cursor(chunk);
                              while (cursor.next()) {
                                if (cursor.type() == NodeType::directory &&
                                    seen.insert(cursor.id()).second) {
                                  directories.push_back(cursor.id());
                                }
                              }
                              return true;
                            }));
  }
  for (auto at = directories.rbegin(); at != directories.rend(); ++at) {
    LAZYVOL_TRY(forget_listing(volume, *at));
  }
  return {};
}

Status TreeStore::forget_listing(VolumeId volume, NodeId directory) {
  bool more = true;
  while (more) {
    more = false;
    std::size_t nodes = 0;
    IndexBatch batch;
    batch.erase(Keyspace::directories, header_key(volume, directory));
    LAZYVOL_TRY(index_.scan(Keyspace::directories, chunk_prefix(volume, directory),
                            [&](std::string_view key, std::string_view chunk) {
                              ChunkCursor cursor(chunk);
                              for (; cursor.next(); ++nodes) {
                                batch.erase(Keyspace::nodes, node_key(volume, cursor.id()));
                              }
                              batch.erase(Keyspace::directories, key);
                              more = nodes >= kForgetBatchNodes;
                              return !more;
                            }));
    LAZYVOL_TRY(index_.write(std::move(batch), false));
  }
  return {};
}

}  // namespace lazyvol::cache
