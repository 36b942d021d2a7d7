// The tree of a commit in memory: what `git ls-tree` told, as directories and names.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "git/tree_rows.h"
#include "lazyvol/error.h"

namespace lazyvol::git {

/// A commit of more entries is refused.
inline constexpr std::size_t kMaxEntries = 4'000'000;
/// Symbolic links of one commit, whose targets are fetched when it is compiled.
inline constexpr std::size_t kMaxSymlinks = 200'000;

/// Thread rule: one thread until it is whole, then immutable.
class Snapshot {
 public:
  using Number = std::uint32_t;  ///< of a node; 0 is the root
  static constexpr Number kRoot = 0;

  struct Node {
    Number parent = 0;
    RowType type = RowType::directory;
    std::uint8_t name_bytes = 0;
    std::uint8_t id_digits = 0;
    std::uint16_t remote = 0;  ///< which repository has the object; 0 is SOURCE
    std::uint64_t name_at = 0, id_at = 0;
  };

  Snapshot();

  /// Adds the rows of a tree below `base`, in git's order, with objects of `remote`. Names that
  /// cannot be shown, and what is below them, are left out and counted. Errors: too_large.
  Status add(Number base, std::uint16_t remote, const TreeRow& row);
  /// After the last row: children are in order then.
  void finish();

  std::size_t size() const { return nodes_.size(); }
  const Node& node(Number number) const { return nodes_[number]; }
  std::string_view name(Number number) const;
  std::string_view id(Number number) const;
  /// The children of a directory, by name.
  std::span<const Number> children(Number directory) const;
  /// From the root, joined by '/'.
  std::string path(Number number) const;
  /// The node of that path; kNone when there is none. Only after finish().
  static constexpr Number kNone = std::numeric_limits<Number>::max();
  Number find(std::string_view path) const;

  std::uint64_t left_out() const { return left_out_; }
  const std::vector<Number>& symlinks() const { return symlinks_; }
  const std::vector<Number>& submodules() const { return submodules_; }

 private:
  Number parent_of(Number base, std::string_view directory);
  bool fits(Number base, const TreeRow& row, std::string_view name) const;

  std::vector<Node> nodes_;
  std::string text_;                  // names and ids
  std::vector<std::size_t> lengths_;  // of the paths of directories, for kMaxPath; by node
  std::vector<Number> order_;         // all but the root, by parent and name
  std::vector<std::size_t> begins_;  // where a node's children begin in order_; one more at the end
  std::vector<Number> symlinks_, submodules_;
  std::uint64_t left_out_ = 0;

  // The directories that the last row lay in: path below the base, and node.
  Number base_ = kNone;
  std::vector<std::pair<std::string, Number>> open_;
};

}  // namespace lazyvol::git
