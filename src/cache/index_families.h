// The keyspaces as data, and RocksDB's options as measured (docs/cache.md).
#pragma once

#include <rocksdb/db.h>

#include <array>
#include <memory>
#include <vector>

#include "cache/index.h"

namespace lazyvol::cache {

/// One column family: its name on disk, and how its values are read.
struct Family {
  Keyspace space;
  const char* name;
  const char* key;  ///< what the key holds, for people
  const char* value;
  const char* lifetime;  ///< what bounds it
  bool often_absent;     ///< lookups miss often: a bloom filter pays
};

inline constexpr std::array<Family, kKeyspaces> kFamilies{{
    {Keyspace::objects, "objects", "content key", "object id, size, state", "until evicted", true},
    {Keyspace::blocks, "blocks", "object id, group of 64 blocks", "presence bitmap, checksums",
     "with its object", true},
    {Keyspace::slabs, "slabs", "block key", "slab, offset, length, checksum",
     "until its slab is dropped", true},
    {Keyspace::directories, "directories", "volume, directory, first name", "entries",
     "until its volume is forgotten", true},
    {Keyspace::nodes, "nodes", "volume, node id", "directory id, name", "with its directory", true},
    {Keyspace::volumes, "volumes", "volume name or id", "volume id, next node id, head", "kept",
     false},
}};

constexpr const Family& family(Keyspace space) {
  return kFamilies[static_cast<std::size_t>(space)];
}

/// Bounds of what the index holds in memory and on disk beyond its live data.
inline constexpr std::size_t kWriteBufferBytes = 4U << 20;       ///< of one family
inline constexpr std::size_t kAllWriteBuffersBytes = 16U << 20;  ///< of all together
inline constexpr std::uint64_t kMaxWalBytes = 16U << 20;
inline constexpr std::size_t kBlockCacheBytes = 8U << 20;
inline constexpr int kMaxOpenFiles = 256;

/// Options of the database. `env` and `logger` must outlive it.
rocksdb::DBOptions database_options(rocksdb::Env* env, std::shared_ptr<rocksdb::Logger> logger);

/// RocksDB's own "default" family first, then ours in the order of Keyspace.
std::vector<rocksdb::ColumnFamilyDescriptor> family_descriptors();

}  // namespace lazyvol::cache
