// Where a page ends. docs/format.md, "Boundaries".
//
// A prolly tree (https://docs.dolthub.com/architecture/storage-engine/prolly-tree): the hash of a
// key decides whether its page ends with it, against a threshold that rises with the size of the
// page as the hazard of a Weibull distribution (K = 4) does. What a page holds depends on nothing
// before it, so equal entries make equal pages, whatever the history.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "catalog/page.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

/// The parameters of a volume's trees, part of its head: to change them is to rebuild.
struct Chunking {
  unsigned leaf_log2 = 15;      ///< binary logarithm of the leaves' scale in bytes
  unsigned interior_log2 = 14;  ///< and of the pages above
  bool operator==(const Chunking&) const = default;
  unsigned log2_of(unsigned level) const { return level == 0 ? leaf_log2 : interior_log2; }
};
/// Errors: invalid_argument for scales outside of 1 KiB … 64 KiB.
Status check_chunking(const Chunking& chunking);

/// Decides for one level of one tree. Thread rule: one thread.
class Splitter {
 public:
  Splitter(Tree tree, unsigned level, const Chunking& chunking);
  /// Takes the next row's key and weight in bytes; true when the page ends with it.
  bool ends_with(std::string_view key, std::size_t weight);

 private:
  std::uint64_t seed_;
  unsigned log2_;
  std::uint64_t size_ = 0, rows_ = 0;
};

}  // namespace lazyvol::catalog
