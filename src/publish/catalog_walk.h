// Going through all pages of a volume's trees, once each, whatever the number of revisions.
//
// Thread rule: one walk at a time; the visitor is called on several threads.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/locked.h"
#include "catalog/entry.h"
#include "catalog/ids_page.h"
#include "catalog/interior_page.h"
#include "lazyvol/error.h"
#include "publish/store.h"

namespace lazyvol::publish {

/// A hash of a set: the same in whatever order its members come, and additive. 256 bits, so that
/// two sets with one Fold are one set.
struct Fold {
  std::array<std::uint64_t, 4> lanes{};
  void add(const Fold& other) {
    for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] += other.lanes[i];
  }
  bool operator==(const Fold&) const = default;
};
/// Of the runs of a leaf of either tree: over all leaves of names it is what it is over all leaves
/// of ids, when the two trees agree.
Fold fold_runs(const std::vector<catalog::IdRun>& runs);

/// A page and what the page above says of it.
struct WalkedPage {
  catalog::Tree tree = catalog::Tree::names;
  std::optional<catalog::FrameRef> frame;  ///< nothing: a root, which lies in the head
  std::string after;                       ///< keys in the page are greater
  std::optional<std::string> last_key;     ///< the greatest one; nothing for a root
};

/// Is told of each page once. Called on several threads at once. An error ends the walk.
class CatalogVisitor {
 public:
  virtual ~CatalogVisitor() = default;
  /// A page that has a frame was met, and will be read next.
  virtual Status page(const catalog::FrameRef& frame) = 0;
  /// A leaf of names, and one of ids; both in order and within their place in the tree.
  virtual Status names(const std::vector<catalog::Entry>& entries) = 0;
  virtual Status ids(const std::vector<catalog::IdRun>& runs) = 0;
  /// A page that cannot be had, or that is not what it has to be. Answering success goes on without
  /// it and what is below.
  virtual Status damaged(const WalkedPage& page, const Error& error) = 0;
};

class CatalogWalk {
 public:
  struct Options {
    unsigned threads = 0;  ///< 0: as many as there are cores
    bool strict = false;   ///< pages must also be as only an encoder makes them; costs twice
  };
  /// `store` and `visitor` must outlive it.
  CatalogWalk(Store& store, CatalogVisitor& visitor, const Options& options, std::stop_token stop);

  struct Outcome {
    Fold runs;          ///< of all leaves
    bool whole = true;  ///< nothing was damaged
  };
  /// Walks the tree below a root page. Parts that an earlier call walked whole are not visited
  /// again. Memory: about 100 bytes for each page of all walks, and the leaves under way.
  /// Errors: the visitor's; cancelled.
  Result<Outcome> walk(catalog::Tree tree, const std::string& root);

 private:
  Result<Outcome> below(const WalkedPage& page, unsigned level);
  Result<Outcome> enter(const WalkedPage& page, std::string_view bytes,
                        std::optional<unsigned> level);
  Result<Outcome> leaf(const WalkedPage& page, std::string_view bytes);
  Result<Outcome> interior(const WalkedPage& page, std::string_view bytes);
  Result<Outcome> damaged(const WalkedPage& page, const Error& error);

  Store& store_;
  CatalogVisitor& visitor_;
  const Options options_;
  const std::stop_token stop_;
  base::Locked<std::unordered_map<catalog::Digest, Fold, catalog::DigestHash>> walked_;
};

}  // namespace lazyvol::publish
