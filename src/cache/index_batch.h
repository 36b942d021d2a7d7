// The inside of IndexBatch: a RocksDB batch that is filled without an open database.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "cache/index.h"

namespace lazyvol::cache {

struct IndexBatch::Impl {
  rocksdb::WriteBatch batch;
};

/// The column family number of a keyspace. RocksDB numbers families in the order of their creation,
/// which is the order of Keyspace, after its own "default" (0); open() verifies it.
constexpr std::uint32_t family_number(Keyspace space) {
  return static_cast<std::uint32_t>(space) + 1;
}

}  // namespace lazyvol::cache
