// What reads and writes pages for the algorithms that need more than one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "catalog/frame.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

/// Reads pages. Called from the thread that runs the algorithm.
class PageReader {
 public:
  virtual ~PageReader() = default;
  /// The page (decompressed and verified; never null) at `ref`, which may be one that was written a
  /// moment ago and sealed. Any error ends the algorithm with it.
  virtual Result<std::shared_ptr<const std::string>> read(const FrameRef& ref) = 0;
};

/// Writes pages, level by level from the leaves up: a page holds references to those below it, and
/// a reference names a pack by its contents, so a level's packs are closed before the next level
/// begins. That also leaves an implementation free to compress the pages of a level in parallel.
class PageWriter {
 public:
  virtual ~PageWriter() = default;
  /// Takes a page. Any error ends the algorithm with it.
  virtual Status write(std::string page) = 0;
  /// Ends a level: the references of the pages since the last call, in their order.
  virtual Result<std::vector<FrameRef>> seal() = 0;
};

}  // namespace lazyvol::catalog
