#include "publish/match.h"

#include <algorithm>
#include <optional>

#include "publish/contents.h"

namespace lazyvol::publish {
namespace {

class Matching {
 public:
  Matching(Tree& tree, const OldTree& old, FileRows& rows) : tree_(tree), old_(old), rows_(rows) {
    match_.claimed.resize(rows.size());
  }

  Match run() {
    tree_.nodes[0].id = kRootNode;
    // Parents come before their children, so a directory's id is known when it is visited.
    for_each_directory([&](Node& directory) { match_children(directory, true); });
    for_each_directory([&](Node& directory) { match_children(directory, false); });
    order_directories();
    for (const std::uint32_t number : match_.directories) {
      const Node& directory = tree_.nodes[number];
      for (std::uint32_t i = 0; i < directory.children; ++i) {
        const Node& node = tree_.nodes[directory.first_child + i];
        if (node.fate == Fate::read) match_.to_read.push_back(directory.first_child + i);
        if (node.fate == Fate::kept) ++match_.files_unchanged;
      }
    }
    return std::move(match_);
  }

 private:
  template <class Visit>
  void for_each_directory(Visit visit) {
    for (Node& node : tree_.nodes) {
      if (node.type == NodeType::directory) visit(node);
    }
  }

  // Two lists in byte order, side by side.
  void match_children(const Node& directory, bool directories) {
    const auto names = directory.id == 0 ? std::span<const OldTree::Name>() : old_.in(directory.id);
    auto at = names.begin();
    for (std::uint32_t i = 0; i < directory.children; ++i) {
      Node& node = tree_.nodes[directory.first_child + i];
      const std::string_view name = tree_.name(node);
      while (at != names.end() && old_.text(*at) < name) ++at;
      if ((node.type == NodeType::directory) != directories) continue;
      const bool same_name = at != names.end() && old_.text(*at) == name;
      const NodeId same = same_name && at->type == node.type ? at->id : 0;
      decide(node, same);
    }
  }

  void decide(Node& node, NodeId same_place) {
    if (node.fate == Fate::linked) return;  // its group decides
    std::optional<std::size_t> row = claim(rows_.find(same_place));
    if (!row) row = claim_inode(node);
    node.id = row ? rows_.at(*row).id : 0;
    switch (node.type) {
      case NodeType::directory:
        node.fate = Fate::fresh;
        return;
      case NodeType::symlink:
        node.fate = Fate::fresh;
        if (row && rows_.at(*row).contents != target_fingerprint(tree_.extra(node)->target)) {
          match_.claimed[*row] = false;
          node.id = 0;
        }
        return;
      case NodeType::file:
        node.fate =
            row && rows_.at(*row).stamp == stamp_fingerprint(node.stamp) ? Fate::kept : Fate::read;
    }
  }

  std::optional<std::size_t> claim(std::optional<std::size_t> row) {
    if (!row || match_.claimed[*row]) return std::nullopt;
    match_.claimed[*row] = true;
    return row;
  }

  std::optional<std::size_t> claim_inode(const Node& node) {
    if (rows_.size() == 0) return std::nullopt;
    for (const std::size_t row : rows_.find(node.stamp.inode)) {
      if (rows_.at(row).type == node.type && !match_.claimed[row]) return claim(row);
    }
    return std::nullopt;
  }

  void order_directories() {
    auto& order = match_.directories;
    for (std::uint32_t number = 0; number < tree_.nodes.size(); ++number) {
      const Node& node = tree_.nodes[number];
      if (node.type == NodeType::directory && node.id != 0) order.push_back(number);
    }
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return tree_.nodes[a].id < tree_.nodes[b].id;
    });
    for (std::size_t i = 0; i < order.size(); ++i) {
      const Node& directory = tree_.nodes[order[i]];
      for (std::uint32_t child = 0; child < directory.children; ++child) {
        const Node& node = tree_.nodes[directory.first_child + child];
        if (node.type == NodeType::directory && node.id == 0) {
          order.push_back(directory.first_child + child);
        }
      }
    }
  }

  Tree& tree_;
  const OldTree& old_;
  FileRows& rows_;
  Match match_;
};

}  // namespace

Match match_tree(Tree& tree, const OldTree& old, FileRows& rows) {
  return Matching(tree, old, rows).run();
}

NodeId number_nodes(Tree& tree, const Match& match, NodeId next_id) {
  for (const std::uint32_t number : match.directories) {
    const Node& directory = tree.nodes[number];
    for (std::uint32_t i = 0; i < directory.children; ++i) {
      Node& node = tree.nodes[directory.first_child + i];
      Node& leader = node.group == 0 ? node : tree.nodes[tree.groups[node.group - 1]];
      if (leader.id == 0) leader.id = next_id++;
      node.id = leader.id;
    }
  }
  return next_id;
}

}  // namespace lazyvol::publish
