// A tree after some edits, made from the tree before by rewriting what they touch.
//
// The result is, byte for byte, the tree that a builder makes of the edited rows. Pages are cut
// again from the start of the first page that an edit touches until a page ends where an old one
// did: from there on the splitter's state, which is fresh at the start of each page, is what it
// was. Whether a page ended by its key's hash, by its size or with the tree makes no difference to
// that argument. Each level's changes are the edits of the level above.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "catalog/descent.h"
#include "catalog/level_writer.h"
#include "catalog/page_store.h"

namespace lazyvol::catalog {

/// A row to be there (instead of what stands under the key), or nothing: the key's row is to go.
template <class Row>
struct Edit {
  std::string key;
  std::optional<Row> row;
};

namespace tree_update {

/// A page of one level of a stored tree.
struct LevelPage {
  std::shared_ptr<const std::string> bytes;
  std::optional<FrameRef> frame;  ///< none: the root
  bool is_last = false;
};

/// The page of `level` that holds the first key at or after `key`, or the last.
Result<LevelPage> find_page(PageReader& reader, const std::shared_ptr<const std::string>& root,
                            Tree tree, unsigned level, std::string key);

/// What an update did to one level.
struct LevelChange {
  LevelOutput::Level added;
  std::map<std::string, FrameRef> removed;  ///< by last key; without the root
};

/// The edits of the level above: pages that went and came back as they were are none.
std::vector<Edit<Child>> edits_above(const LevelChange& change);

/// A root of one child is no root: goes down to the page that is.
Result<std::string> collapse(PageReader& reader, std::string root);

/// Applies `edits` (rising keys) to one level. `observer` sees the rows of pages that go and come.
template <class Codec, class Observer>
class LevelUpdate {
 public:
  using Row = typename Codec::Row;

  LevelUpdate(PageReader& reader, std::shared_ptr<const std::string> root, Tree tree,
              unsigned level, LevelWriter<Codec> writer, Observer& observer)
      : reader_(&reader),
        root_(std::move(root)),
        tree_(tree),
        level_(level),
        writer_(std::move(writer)),
        observer_(&observer) {}

  /// Everything but closing the level's output. Fills `removed`.
  Status run(std::span<Edit<Row>> edits, std::map<std::string, FrameRef>& removed) {
    edits_ = edits;
    while (!edits_.empty()) {
      std::string sought = edits_[0].key;
      LAZYVOL_TRY_ASSIGN(LevelPage page, find_page(*reader_, root_, tree_, level_, sought));
      for (;;) {
        LAZYVOL_TRY_ASSIGN(const std::string last_key, rewrite(page, removed));
        // Else a damaged tree could lead back to the same page for ever.
        if (!page.is_last && last_key < sought) return damaged_page("not the one that was sought");
        if (page.is_last) LAZYVOL_TRY(writer_.finish(added()));
        if (writer_.at_boundary()) break;  // in step with the old tree again
        sought = key_after(last_key);
        LAZYVOL_TRY_ASSIGN(page, find_page(*reader_, root_, tree_, level_, sought));
      }
    }
    return {};
  }

 private:
  auto added() {
    return [this](const std::vector<Row>& rows) { observer_->added(rows); };
  }

  /// Merges a page with its edits. The answer is its last key.
  Result<std::string> rewrite(const LevelPage& page, std::map<std::string, FrameRef>& removed) {
    LAZYVOL_TRY_ASSIGN(std::vector<Row> rows, Codec::decode(*page.bytes));
    std::string last_key = rows.empty() ? std::string() : Codec::key(rows.back());
    if (page.frame) removed.emplace(last_key, *page.frame);
    observer_->removed(rows);
    for (Row& row : rows) {
      const std::string key = Codec::key(row);
      LAZYVOL_TRY(insert_before(key));
      if (!edits_.empty() && edits_[0].key == key) {
        LAZYVOL_TRY(insert_first());
      } else {
        LAZYVOL_TRY(writer_.add(std::move(row), added()));
      }
    }
    while (page.is_last && !edits_.empty()) LAZYVOL_TRY(insert_first());
    return last_key;
  }
  Status insert_before(const std::string& key) {
    while (!edits_.empty() && edits_[0].key < key) LAZYVOL_TRY(insert_first());
    return {};
  }
  Status insert_first() {
    std::optional<Row> row = std::move(edits_[0].row);
    edits_ = edits_.subspan(1);
    return row ? writer_.add(*std::move(row), added()) : Status();
  }

  PageReader* reader_;
  std::shared_ptr<const std::string> root_;
  Tree tree_;
  unsigned level_;
  LevelWriter<Codec> writer_;
  Observer* observer_;
  std::span<Edit<Row>> edits_;
};

template <class Codec, class Observer>
Result<LevelChange> update_level(PageReader& reader, PageWriter& writer,
                                 const std::shared_ptr<const std::string>& root, Tree tree,
                                 unsigned level, bool top, const Chunking& chunking, Codec codec,
                                 std::span<Edit<typename Codec::Row>> edits, Observer& observer) {
  LevelChange change;
  LevelOutput output(writer, top);
  LevelUpdate<Codec, Observer> update(
      reader, root, tree, level,
      LevelWriter<Codec>(std::move(codec), Splitter(tree, level, chunking), output), observer);
  LAZYVOL_TRY(update.run(edits, change.removed));
  LAZYVOL_TRY_ASSIGN(change.added, output.close());
  return change;
}

struct NoObserver {
  template <class Rows>
  void added(const Rows&) {}
  template <class Rows>
  void removed(const Rows&) {}
};

}  // namespace tree_update

/// Applies `edits`, which have strictly rising keys, to the tree of `root`. `empty_root` is the
/// page of no rows. Errors: those of reader and writer; corrupt.
template <class Codec, class Observer>
Result<std::string> update_tree(PageReader& reader, PageWriter& writer, std::string old_root,
                                const Chunking& chunking,
                                std::span<Edit<typename Codec::Row>> edits, Observer& observer) {
  namespace tu = tree_update;
  if (edits.empty()) return old_root;
  base::ByteReader in(old_root);
  const unsigned height = read_page_header(in).level;
  if (in.failed()) return damaged_page("root");
  const auto root = std::make_shared<const std::string>(std::move(old_root));
  LAZYVOL_TRY_ASSIGN(tu::LevelChange change,
                     tu::update_level(reader, writer, root, Codec::kTree, 0, height == 0, chunking,
                                      Codec(), edits, observer));
  for (unsigned level = 1; level <= height; ++level) {
    std::vector<Edit<Child>> above = tu::edits_above(change);
    if (above.empty()) return *root;
    tu::NoObserver none;
    LAZYVOL_TRY_ASSIGN(
        change,
        tu::update_level(reader, writer, root, Codec::kTree, level, level == height, chunking,
                         InteriorCodec(Codec::kTree, level), std::span<Edit<Child>>(above), none));
  }
  if (!change.added.root && change.added.children.empty()) return Codec::encode({});
  if (change.added.root) return tu::collapse(reader, *std::move(change.added.root));
  return build_upwards(writer, Codec::kTree, height, chunking, std::move(change.added));
}

}  // namespace lazyvol::catalog
