// A leaf of the tree of ids: which leaf of the tree of names holds an id. docs/format.md, "Id
// pages".
//
// Not one row for each id: a publisher numbers entries in the order of the tree of names, so a leaf
// there mostly holds consecutive ids, and a row stands for a run of them. No name is stored twice.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/column.h"
#include "catalog/entry.h"
#include "catalog/key.h"
#include "catalog/page.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

/// The ids `first` … `last` are in that leaf of the tree of names whose last key is `leaf`.
struct IdRun {
  NodeId first = 0, last = 0;
  Place leaf;
  bool operator==(const IdRun&) const = default;
};

/// The runs of one leaf of names, by rising id: maximal, and without aliases.
std::vector<IdRun> id_runs(std::span<const Entry> leaf);

/// The key under which a run stands: of its last id, so that the first key at or after that of an
/// id is the only run that may hold it.
std::string run_key(const IdRun& run);

/// A view of a page of runs, whose bytes must outlive it. Safe on any bytes; thread rule:
/// immutable.
class IdsPage {
 public:
  /// Errors: corrupt.
  static Result<IdsPage> open(std::string_view page);
  std::size_t rows() const { return last_.size(); }
  /// The run that holds `id`, if there is one. Errors: corrupt.
  Result<std::optional<IdRun>> find(NodeId id) const;
  /// Run `index` < rows(). Errors: corrupt.
  Result<IdRun> run(std::size_t index) const;
  /// All runs, and the proof that the page is in order. Errors: corrupt.
  Result<std::vector<IdRun>> runs() const;

 private:
  Column last_, length_, directory_;
  Texts names_;
};

/// The page of `runs`, which are in rising order.
std::string encode_ids_page(std::span<const IdRun> runs);

}  // namespace lazyvol::catalog
