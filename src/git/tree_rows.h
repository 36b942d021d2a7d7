// The rows that `git ls-tree -r -t -z` prints.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::git {

enum class RowType { file, program, symlink, directory, submodule };

struct TreeRow {
  RowType type = RowType::file;
  std::string_view id;    ///< of the object; of a submodule's commit
  std::string_view path;  ///< raw bytes from the root of the tree
};

/// Reads one row, without the NUL that ends it. Modes of old times (100664) are those of files.
/// Errors: corrupt. Pure.
Result<TreeRow> parse_tree_row(std::string_view row);

/// Takes the output as it comes and visits the rows that are whole. Thread rule: one thread.
class TreeRowReader {
 public:
  using Visit = std::function<Status(const TreeRow&)>;
  explicit TreeRowReader(Visit visit) : visit_(std::move(visit)) {}
  /// Errors: parse_tree_row's, those of the visitor, corrupt for a row without an end.
  Status add(std::string_view bytes);
  /// After the last byte. Errors: corrupt when a row was cut off.
  Status finish() const;

 private:
  Visit visit_;
  std::string begun_;
};

}  // namespace lazyvol::git
