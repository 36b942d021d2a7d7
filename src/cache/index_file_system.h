// The file system as RocksDB sees it: one that is never full while the reserve lasts.
#pragma once

#include <rocksdb/file_system.h>

#include <memory>

#include "cache/index_reserve.h"
#include "cache/index_settings.h"

namespace lazyvol::cache {

/// Wraps the system's file system. An operation that meets ENOSPC takes from `reserve` and is tried
/// again, whole: appends go to known offsets, so that a part already written is written over.
/// `fault` may be null. `reserve` must outlive the result.
std::shared_ptr<rocksdb::FileSystem> make_index_file_system(IndexReserve& reserve, FileFault fault);

}  // namespace lazyvol::cache
