// The keyspaces of a publisher's state as data.
//
// Numbers in keys are 8 or 4 bytes, most significant first; values are made with base/bytes.h.
#pragma once

#include <rocksdb/db.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lazyvol::publish {

enum class StateSpace : std::uint8_t { meta, chunks, packs, files, maps };

struct StateFamily {
  StateSpace space;
  const char* name;
  const char* key;  ///< what it holds, for people
  const char* value;
  const char* lifetime;
  bool often_absent;  ///< lookups miss often: a bloom filter pays
};

inline constexpr std::array<StateFamily, 5> kStateFamilies{{
    {StateSpace::meta, "default", "name", "format; synced sequence and head", "kept", false},
    {StateSpace::chunks, "chunks", "SHA-256 of the chunk", "pack number, frame, offset, length",
     "until its pack is not trusted", true},
    {StateSpace::packs, "packs", "pack number", "name, bytes, when it was recorded", "kept", false},
    {StateSpace::files, "files", "node id", "type, inode, stamp, fingerprint",
     "until the node goes", false},
    {StateSpace::maps, "maps", "hash of a file map's frame", "names of packs", "kept", true},
}};

/// Bounds of what the database holds in memory.
inline constexpr std::size_t kStateWriteBufferBytes = 16U << 20;
inline constexpr std::size_t kStateBlockCacheBytes = 32U << 20;
inline constexpr std::uint64_t kStateMaxWalBytes = 64U << 20;
inline constexpr int kStateMaxOpenFiles = 256;

rocksdb::DBOptions state_options();
std::vector<rocksdb::ColumnFamilyDescriptor> state_descriptors();

}  // namespace lazyvol::publish
