// The names of the revision before, in memory, and the packs that it needs.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "catalog/catalog_read.h"
#include "catalog/digest.h"
#include "catalog/page_store.h"
#include "lazyvol/error.h"
#include "publish/file_rows.h"
#include "publish/progress.h"
#include "publish/state.h"

namespace lazyvol::publish {

using PackSet = std::unordered_set<catalog::Digest, catalog::DigestHash>;

/// Visits the packs that a content needs, some more than once: of its frames, and of its file maps.
/// What maps lead to is remembered by `state`. Errors: those of the reader; corrupt.
Status for_each_pack(const catalog::Content& content, catalog::PageReader& reader, State& state,
                     const std::function<void(const catalog::Digest&)>& visit);

/// Thread rule: immutable once it is loaded.
class OldTree {
 public:
  struct Name {
    NodeId id = 0;
    std::uint64_t at = 0;
    std::uint8_t length = 0;
    NodeType type = NodeType::file;
  };

  /// Reads all entries. Those that `rows` does not know are learned (publish/learner.h) and added;
  /// rows of ids that are not there (another publisher removed them) are dropped.
  /// Files that need a pack which is not among `present` lose their stamps and fingerprints in
  /// `rows`, so that they are read and stored anew. Errors: those of reader and state; corrupt;
  /// cancelled.
  /// `frames` reads what is learned: frames of up to catalog::kMaxFrameRaw, so it should keep few.
  static Result<OldTree> load(catalog::PageReader& reader, catalog::PageReader& frames,
                              const catalog::Page& root, const PackSet& present, State& state,
                              FileRows& rows, Progress& progress);

  /// The names in a directory, in order.
  std::span<const Name> in(NodeId directory) const;
  std::string_view text(const Name& name) const {
    return std::string_view(text_).substr(name.at, name.length);
  }
  /// Needed by contents.
  const PackSet& packs() const { return packs_; }

 private:
  void add(const catalog::Entry& entry);

  std::vector<Name> names_;
  std::string text_;
  std::vector<std::pair<NodeId, std::size_t>> begins_;  ///< first name of each directory
  PackSet packs_;
};

}  // namespace lazyvol::publish
