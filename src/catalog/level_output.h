// The pages of one level as they come into being, and the levels above them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/interior_page.h"
#include "catalog/page_store.h"
#include "catalog/splitter.h"

namespace lazyvol::catalog {

/// Hands the pages of one level to a writer. The only page of a level is its tree's root, which
/// lies in the head: so, where there may be one page only, the first is held back until there is a
/// second.
class LevelOutput {
 public:
  LevelOutput(PageWriter& writer, bool may_be_root) : writer_(&writer), hold_(may_be_root) {}

  /// Takes a page, whose last key is `last_key`.
  Status put(std::string last_key, std::string page);

  struct Level {
    std::optional<std::string> root;  ///< the only page, not written
    std::vector<Child> children;      ///< else all pages
  };
  Result<Level> close();

 private:
  PageWriter* writer_;
  bool hold_;
  std::optional<std::string> held_;
  std::vector<Child> children_;
};

/// Builds the levels above `below`, which is of level `level`, up to the root.
Result<std::string> build_upwards(PageWriter& writer, Tree tree, unsigned level,
                                  const Chunking& chunking, LevelOutput::Level below);

}  // namespace lazyvol::catalog
