// Which node ids of each open volume were handed out.
#pragma once

#include <map>

#include "base/locked.h"
#include "cache/tree_store.h"

namespace lazyvol::cache {

/// Ids are reserved on disk this far ahead, so that handing one out costs no write.
inline constexpr std::uint64_t kReservedNodes = 4096;

struct IdRange {
  NodeId next = 0;           ///< the first id not handed out in this process life
  NodeId reserved_end = 0;   ///< ids below it are reserved on disk
  NodeId detached_next = 0;  ///< the same for ids beside the disk; 0 = none was needed
};

struct TreeStore::Ids : base::Locked<std::map<VolumeId, IdRange>> {};

}  // namespace lazyvol::cache
