// Numbers of volumes and nodes: handed out once, never again.
#include <algorithm>
#include <map>

#include "base/clock.h"
#include "base/locked.h"
#include "base/log.h"
#include "cache/tree_store_ids.h"
#include "cache/tree_store_keys.h"

namespace lazyvol::cache {
namespace {

constexpr std::string_view kCounterKey = "c";

std::string volume_key(VolumeId volume) {
  return "v" + big_endian(volume);
}

Error damaged_volumes() {
  return {Code::corrupt, "cache index: a damaged volume record"};
}

// Ids for when the index cannot be written: the second of the first such need stands in the high
// bits, so another life of the process never makes the same ones, nor do ids counted from 1.
NodeId detached_base(std::int64_t wall_ns) {
  constexpr NodeId kDetached = NodeId{1} << 62;
  const auto seconds = static_cast<std::uint64_t>(wall_ns / 1'000'000'000);
  return kDetached | ((seconds & 0x3fff'ffff) << 32);
}

template <class T>
Result<std::optional<T>> get_number(const Index& index, std::string_view key) {
  LAZYVOL_TRY_ASSIGN(const auto value, index.get(Keyspace::volumes, key));
  if (!value) return std::optional<T>();
  const auto number = from_big_endian<T>(*value);
  if (!number) return damaged_volumes();
  return number;
}

}  // namespace

TreeStore::TreeStore(Index& index) : index_(index), ids_(std::make_unique<Ids>()) {}
TreeStore::~TreeStore() = default;

Result<VolumeId> TreeStore::open_volume(std::string_view name) {
  if (name.empty()) return Error{Code::invalid_argument, "a volume needs a name"};
  const auto state = ids_->lock();
  const std::string name_key = "n" + std::string(name);
  LAZYVOL_TRY_ASSIGN(auto volume, get_number<VolumeId>(index_, name_key));
  if (!volume) {
    LAZYVOL_TRY_ASSIGN(const auto counter, get_number<VolumeId>(index_, kCounterKey));
    volume = counter.value_or(1);
    IndexBatch batch;
    batch.put(Keyspace::volumes, name_key, big_endian(*volume));
    batch.put(Keyspace::volumes, kCounterKey, big_endian(*volume + 1));
    batch.put(Keyspace::volumes, volume_key(*volume), big_endian(kRootNode + 1));
    LAZYVOL_TRY(index_.write(std::move(batch), true));
  }
  if (state->contains(*volume)) return *volume;
  LAZYVOL_TRY_ASSIGN(const auto unused, get_number<NodeId>(index_, volume_key(*volume)));
  if (!unused || *unused <= kRootNode) return damaged_volumes();
  state->emplace(*volume, IdRange{.next = *unused, .reserved_end = *unused});
  return *volume;
}

Result<NodeId> TreeStore::allocate_nodes(VolumeId volume, std::uint64_t count) {
  const auto state = ids_->lock();
  const auto found = state->find(volume);
  if (found == state->end()) {
    return Error{Code::invalid_argument, "node ids wanted for a volume that is not open"};
  }
  IdRange& range = found->second;
  if (count > range.reserved_end - range.next) {
    const NodeId end = range.next + count + kReservedNodes;
    IndexBatch batch;
    batch.put(Keyspace::volumes, volume_key(volume), big_endian(end));
    const Status written = index_.write(std::move(batch), true);
    if (!written.ok()) {
      if (range.detached_next == 0) {
        base::log_warn("node ids are not kept across a restart: {}", written.error().message);
        range.detached_next = detached_base(base::system_clock().wall_ns());
      }
      return std::exchange(range.detached_next, range.detached_next + count);
    }
    range.reserved_end = end;
  }
  return std::exchange(range.next, range.next + count);
}

}  // namespace lazyvol::cache
