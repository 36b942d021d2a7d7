// What the heads of a volume reach: the packs, and how much of each is alive.
//
// Thread rule: one call at a time.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <stop_token>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/locked.h"
#include "catalog/head.h"
#include "lazyvol/error.h"
#include "publish/catalog_walk.h"
#include "publish/store.h"

namespace lazyvol::publish {

struct PackUse {
  std::uint64_t frames = 0, bytes = 0;  ///< that are reached, each counted once
};

/// Collects over several heads; what two of them share is read once. Memory: 8 bytes for each frame
/// of data, and what CatalogWalk needs.
class Reach final : private CatalogVisitor {
 public:
  /// `store` must outlive it. `threads` 0: as many as there are cores.
  Reach(Store& store, unsigned threads, std::stop_token stop);

  /// Adds everything that `head` reaches. Errors: those of reading any of it (corrupt, not_found,
  /// …), since what cannot be read may name anything; cancelled. What was added stays.
  Status add(const catalog::Head& head);
  /// By pack. A hot pack is used whole: nothing refers to its frames, which are found by its index.
  std::map<catalog::Digest, PackUse> packs();

 private:
  /// The frames of a pack as offset and length in one number each; sorted and without repetition up
  /// to `tidy`.
  struct Frames {
    std::vector<std::uint64_t> list;
    std::size_t tidy = 0;
    std::uint64_t whole = 0;  ///< bytes of a hot pack
  };
  using Part = std::unordered_map<catalog::Digest, Frames, catalog::DigestHash>;

  Status page(const catalog::FrameRef& frame) override;
  Status names(const std::vector<catalog::Entry>& entries) override;
  Status ids(const std::vector<catalog::IdRun>&) override { return {}; }
  Status damaged(const WalkedPage&, const Error& error) override { return error; }
  void use(const catalog::FrameRef& frame);
  static void compact(Frames& frames);

  Store& store_;
  CatalogWalk walk_;
  std::array<base::Locked<Part>, 16> parts_;  // by the first bits of the pack's name
  base::Locked<std::unordered_set<catalog::Digest, catalog::DigestHash>> maps_;
};

}  // namespace lazyvol::publish
