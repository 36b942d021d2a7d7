// Rows of one level, cut into pages. Used by building and updating alike, so that the two cannot
// disagree.
#pragma once

#include <string>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "catalog/ids_page.h"
#include "catalog/interior_page.h"
#include "catalog/leaf_page.h"
#include "catalog/level_output.h"
#include "catalog/splitter.h"

namespace lazyvol::catalog {

// A codec says for one kind of page what a row is, its key, what it weighs (docs/format.md,
// "Boundaries") and how a page is made of rows and taken apart.

/// Leaves of the tree of names.
class NamesCodec {
 public:
  using Row = Entry;
  static constexpr Tree kTree = Tree::names;
  static std::string key(const Entry& row) { return name_key(row.directory, row.name); }
  std::size_t weight(const Entry& row) {
    std::size_t sum = 16 + row.name.size() + row.symlink_target.size();
    for (const Xattr& xattr : row.xattrs) sum += 4 + xattr.name.size() + xattr.value.size();
    if (const auto* bytes = std::get_if<InlineContent>(&row.content)) sum += bytes->bytes.size();
    if (const auto* map = std::get_if<MapContent>(&row.content)) sum += 8 + frame(map->map);
    if (const auto* object = std::get_if<ObjectContent>(&row.content)) {
      sum += 8 + object->name.size();
    }
    if (const auto* list = std::get_if<PieceContent>(&row.content)) {
      for (const Piece& piece : list->pieces) sum += 8 + frame(piece.frame);
    }
    return sum;
  }
  void begin_page() { frames_.clear(); }
  static std::string encode(const std::vector<Entry>& rows) { return encode_leaf_page(rows); }
  static Result<std::vector<Entry>> decode(std::string_view page) {
    LAZYVOL_TRY_ASSIGN(const LeafPage leaf, LeafPage::open(page));
    return leaf.entries();
  }

 private:
  // A frame weighs where it is first met in a page.
  std::size_t frame(const FrameRef& ref) { return frames_.insert(ref.hash).second ? 40 : 0; }
  std::unordered_set<Digest, DigestHash> frames_;
};

/// Leaves of the tree of ids.
class IdsCodec {
 public:
  using Row = IdRun;
  static constexpr Tree kTree = Tree::ids;
  static std::string key(const IdRun& row) { return run_key(row); }
  static std::size_t weight(const IdRun& row) { return 16 + row.leaf.name.size(); }
  void begin_page() {}
  static std::string encode(const std::vector<IdRun>& rows) { return encode_ids_page(rows); }
  static Result<std::vector<IdRun>> decode(std::string_view page) {
    LAZYVOL_TRY_ASSIGN(const IdsPage leaf, IdsPage::open(page));
    return leaf.runs();
  }
};

/// Pages above the leaves of either tree.
class InteriorCodec {
 public:
  using Row = Child;
  InteriorCodec(Tree tree, unsigned level) : tree_(tree), level_(level) {}
  static std::string key(const Child& row) { return row.last_key; }
  static std::size_t weight(const Child& row) { return 44 + row.last_key.size(); }
  void begin_page() {}
  std::string encode(const std::vector<Child>& rows) const {
    return encode_interior_page(tree_, level_, rows);
  }
  static Result<std::vector<Child>> decode(std::string_view page) {
    LAZYVOL_TRY_ASSIGN(const InteriorPage interior, InteriorPage::open(page));
    return interior.children();
  }

 private:
  Tree tree_;
  unsigned level_;
};

/// Collects rows, which come in rising order of keys, and hands over each page as it ends.
template <class Codec>
class LevelWriter {
 public:
  using Row = typename Codec::Row;

  LevelWriter(Codec codec, Splitter splitter, LevelOutput& output)
      : codec_(std::move(codec)), splitter_(splitter), output_(&output) {}

  /// True before the first row and after the last row of a page.
  bool at_boundary() const { return rows_.empty(); }

  template <class OnPage>
  Status add(Row row, OnPage&& on_page) {
    last_key_ = Codec::key(row);
    const bool ends = splitter_.ends_with(last_key_, codec_.weight(row));
    rows_.push_back(std::move(row));
    return ends ? end_page(on_page) : Status();
  }
  /// Ends the last page of the level.
  template <class OnPage>
  Status finish(OnPage&& on_page) {
    return rows_.empty() ? Status() : end_page(on_page);
  }

 private:
  template <class OnPage>
  Status end_page(OnPage& on_page) {
    on_page(rows_);
    LAZYVOL_TRY(output_->put(last_key_, codec_.encode(rows_)));
    rows_.clear();
    codec_.begin_page();
    return {};
  }

  Codec codec_;
  Splitter splitter_;
  LevelOutput* output_;
  std::string last_key_;
  std::vector<Row> rows_;
};

}  // namespace lazyvol::catalog
