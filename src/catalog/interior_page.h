// A page above the leaves: which child holds which keys. docs/format.md, "Interior pages".
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/column.h"
#include "catalog/frame.h"
#include "catalog/frame_table.h"
#include "catalog/page.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

/// A page, known by the greatest key in it.
struct Child {
  std::string last_key;
  FrameRef frame;
  bool operator==(const Child&) const = default;
};

/// A view of an interior page, whose bytes must outlive it. Safe on any bytes; thread rule:
/// immutable.
class InteriorPage {
 public:
  /// Errors: corrupt.
  static Result<InteriorPage> open(std::string_view page);

  Tree tree() const { return header_.tree; }
  unsigned level() const { return header_.level; }
  std::size_t rows() const { return header_.rows; }

  /// The child whose keys end at or after `key`: the only one that may hold it, and the first that
  /// may hold a greater one. rows() when all keys are smaller. Errors: corrupt.
  Result<std::size_t> find(std::string_view key) const;
  /// Child `index` < rows(). Errors: corrupt.
  Result<Child> child(std::size_t index) const;
  Result<FrameRef> frame(std::size_t index) const { return frames_.at(index); }
  /// All children, and the proof that the page is in order. Errors: corrupt.
  Result<std::vector<Child>> children() const;

 private:
  Result<std::string> key(std::size_t index) const;

  PageHeader header_;
  Column shared_;
  Texts suffixes_;
  FrameTable frames_;
};

/// The page of `children`, which are in rising order of keys.
std::string encode_interior_page(Tree tree, unsigned level, std::span<const Child> children);

}  // namespace lazyvol::catalog
