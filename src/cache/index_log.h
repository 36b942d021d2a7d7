// RocksDB's own log lines, sent to ours: no LOG files that grow beside the data.
#pragma once

#include <rocksdb/env.h>

#include <memory>

namespace lazyvol::cache {

/// Passes messages of warning level and above on to base/log.h, each kind at most once a minute;
/// drops the rest. Thread-safe.
std::shared_ptr<rocksdb::Logger> make_index_logger();

}  // namespace lazyvol::cache
