// A tree as it was found: every name with its attributes, breadth first.
//
// Children of a directory are consecutive and in byte order of their names, and a directory comes
// before what is in it. Thread rule: plain data; whoever changes it has it alone.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/entry.h"
#include "lazyvol/entry.h"

namespace lazyvol::publish {

/// Which inode.
struct Inode {
  std::uint64_t dev = 0, ino = 0;
  auto operator<=>(const Inode&) const = default;
};

/// What changes when a file does: equal stamps mean equal bytes, if the stamp was settled.
struct Stamp {
  Inode inode;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0, ctime_ns = 0;
  bool operator==(const Stamp&) const = default;
};

/// What is to become of a name.
enum class Fate : std::uint8_t {
  fresh,   ///< it has, or gets, the id in Node::id; a directory or a symbolic link
  kept,    ///< a file whose bytes are those of the old entry `id`
  read,    ///< a file that has to be read; `id` is the old entry that it may turn out to be
  stored,  ///< a file that was read: Node::content
  linked,  ///< a hard link: what the first name of its group is
};

struct Node {
  Stamp stamp;
  NodeId id = 0;              ///< 0: none yet
  std::uint64_t name_at = 0;  ///< in Tree::names
  std::uint32_t parent = 0;
  std::uint32_t first_child = 0, children = 0;  ///< of a directory
  std::uint32_t uid = 0, gid = 0, nlink = 1;    ///< nlink: names in the tree
  std::uint32_t extra = 0;                      ///< 1 + its number among Tree::extras; 0 = none
  std::uint32_t group = 0;                      ///< 1 + its number among the groups; 0 = none
  std::uint32_t content = 0;                    ///< its number among the contents, if stored
  std::uint16_t mode = 0;                       ///< permission bits
  std::uint8_t name_length = 0;
  NodeType type = NodeType::file;
  Fate fate = Fate::fresh;
};

/// What few nodes have.
struct Extra {
  std::string target;
  std::vector<catalog::Xattr> xattrs;
};

struct Tree {
  std::vector<Node> nodes;  ///< the root first
  std::string names;
  std::vector<Extra> extras;
  /// The first node of each group of hard links; `linked` nodes name their group.
  std::vector<std::uint32_t> groups;

  std::string_view name(const Node& node) const {
    return std::string_view(names).substr(node.name_at, node.name_length);
  }
  std::span<const Node> children(const Node& node) const {
    return {nodes.data() + node.first_child, node.children};
  }
  const Extra* extra(const Node& node) const {
    return node.extra == 0 ? nullptr : &extras[node.extra - 1];
  }
  /// Relative to the tree; empty for the root.
  std::string path(std::uint32_t number) const;
};

}  // namespace lazyvol::publish
