// A leaf of the tree of names: entries by directory and name, found without decoding the others.
// docs/format.md, "Leaf pages".
//
// A LeafPage is a view: the page's bytes must outlive it. It is safe on any bytes: what does not
// hold gives Code::corrupt where it is met, and validate() meets all of it. Thread rule: immutable.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/column.h"
#include "catalog/entry.h"
#include "catalog/frame_table.h"
#include "catalog/key.h"
#include "catalog/page.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

class LeafPage {
 public:
  /// Checks that the sections fit the bytes, and nothing of what is in them. Errors: corrupt.
  static Result<LeafPage> open(std::string_view page);
  /// Everything that an encoder guarantees: order, names, each entry. Costs a decoding of the page,
  /// once, when it arrives. Errors: corrupt.
  Status validate() const;

  std::size_t rows() const { return ids_.size(); }
  /// The first row at or after (directory, name), rows() when there is none. Errors: corrupt.
  Result<std::size_t> lower_bound(NodeId directory, std::string_view name) const;
  /// The row of exactly this name. Errors: corrupt.
  Result<std::optional<std::size_t>> find(NodeId directory, std::string_view name) const;
  /// The row of `id` that is no alias. Errors: corrupt.
  Result<std::optional<std::size_t>> find_id(NodeId id) const;

  // Of row `row` < rows(). Errors: corrupt.
  NodeId directory(std::size_t row) const;
  Result<Place> place(std::size_t row) const;
  /// What stat shows; takes no memory.
  Result<Attributes> attributes(std::size_t row) const;
  Result<Entry> entry(std::size_t row) const;

  /// All rows, as entry() gives them, and the proof that they are in order. Errors: corrupt.
  Result<std::vector<Entry>> entries() const;

 private:
  friend class LeafWalk;
  struct Class;
  struct Extra;
  struct Sought {
    std::size_t row = 0;
    bool exact = false;
  };

  Result<Sought> seek(NodeId directory, std::string_view name) const;
  Class class_of(std::size_t row) const;
  Result<Extra> extra(std::size_t row, const Class& kind) const;
  Result<std::vector<Piece>> pieces(std::size_t row) const;
  Result<std::uint64_t> size(std::size_t row, const Class& kind) const;
  Result<Entry> fields(std::size_t row) const;
  std::size_t directory_run(std::size_t row) const;
  std::size_t run_begin(std::size_t run) const;

  Column directories_, directory_begins_;
  Column shared_, ids_, classes_, nlinks_, seconds_, nanoseconds_;
  Texts suffixes_, extras_;
  Column class_flags_, class_modes_, class_uids_, class_gids_;
  Column piece_counts_, piece_begins_, piece_frames_, piece_gaps_, piece_lengths_;
  FrameTable frames_;
};

/// Goes through a leaf's names in order without copying them.
class LeafWalk {
 public:
  /// Stands before `row` <= page.rows(). `page` must outlive the walk.
  LeafWalk(const LeafPage& page, std::size_t row);

  /// Moves to the next row (the first at the first call). False at the end and at damage.
  bool next();
  /// Code::corrupt once damage was met.
  Status status() const;

  // The current row; valid after next() answered true, until the next call of it.
  std::size_t row() const { return row_; }
  NodeId directory() const { return directory_; }
  std::string_view name() const { return {name_.data(), length_}; }

 private:
  bool step();

  const LeafPage* page_;
  std::size_t next_, row_ = 0;
  std::size_t run_ = 0, run_end_ = 0;
  NodeId directory_ = 0;
  Texts::Cursor suffixes_;
  std::array<char, kMaxName> name_{};
  std::size_t length_ = 0;
  bool damaged_ = false;
};

/// The page of `entries`, which pass check_entry() and are in rising order of directory and name.
std::string encode_leaf_page(std::span<const Entry> entries);

}  // namespace lazyvol::catalog
