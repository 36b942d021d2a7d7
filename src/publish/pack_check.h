// Whether packs are what their names and indexes say.
//
// Thread rule: thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/locked.h"
#include "catalog/pack.h"
#include "lazyvol/error.h"
#include "publish/store.h"

namespace lazyvol::publish {

struct PackIndex {
  std::uint64_t bytes = 0;  ///< of the pack
  catalog::PackTrailer trailer;
  std::vector<catalog::FrameRef> frames;  ///< by offset
};
/// Reads the end of a pack: its trailer and its index. Errors: not_found; corrupt; unsupported;
/// those of the store.
Result<PackIndex> read_pack_index(Store& store, const catalog::Digest& pack);

struct PackFindings {
  std::uint64_t bytes = 0, frames = 0, damaged_frames = 0;
  std::string damage;  ///< one line about the first that was found; empty: all is well
};
/// Reads a whole pack once, some MiB at a time: header, each frame (hash, decompression, length),
/// index, and the name, which is the hash of all. `read` is told of bytes as they were read.
/// Errors: those of read_pack_index(), those of the store; cancelled.
Result<PackFindings> check_pack(Store& store, const catalog::Digest& pack,
                                const std::function<void(std::uint64_t)>& read,
                                const std::stop_token& stop);

/// The indexes of a volume's packs, those last used kept in memory (about 80 MB of them).
class PackIndexes {
 public:
  /// `store` must outlive it.
  explicit PackIndexes(Store& store) : store_(store) {}

  /// Whether the pack's index has exactly this frame. Errors: corrupt when it has not; those of
  /// read_pack_index(), read again at each call.
  Status check(const catalog::FrameRef& frame);

 private:
  using Index = std::shared_ptr<const std::vector<catalog::FrameRef>>;
  struct State {
    std::list<std::pair<catalog::Digest, Index>> order;  // the last used first
    std::unordered_map<catalog::Digest, decltype(order)::iterator, catalog::DigestHash> found;
    std::size_t frames = 0;
  };
  Result<Index> index_of(const catalog::Digest& pack);

  Store& store_;
  base::Locked<State> state_;
};

}  // namespace lazyvol::publish
