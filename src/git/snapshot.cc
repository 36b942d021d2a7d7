#include "git/snapshot.h"

#include <algorithm>
#include <tuple>

#include "lazyvol/entry.h"

namespace lazyvol::git {

Snapshot::Snapshot() {
  nodes_.emplace_back();
  lengths_.push_back(0);
}

std::string_view Snapshot::name(Number number) const {
  const Node& one = nodes_[number];
  return std::string_view(text_).substr(one.name_at, one.name_bytes);
}

std::string_view Snapshot::id(Number number) const {
  const Node& one = nodes_[number];
  return std::string_view(text_).substr(one.id_at, one.id_digits);
}

// git lists a directory before what is in it, and all that is in it together.
Snapshot::Number Snapshot::parent_of(Number base, std::string_view directory) {
  if (base != base_) {
    open_.clear();
    base_ = base;
  }
  if (directory.empty()) return base;
  while (!open_.empty()) {
    const std::string& path = open_.back().first;
    if (directory == path) return open_.back().second;
    const bool below = directory.size() > path.size() && directory.starts_with(path) &&
                       directory[path.size()] == '/';
    if (below) break;  // its own directory was left out
    open_.pop_back();
  }
  return kNone;
}

bool Snapshot::fits(Number base, const TreeRow& row, std::string_view name) const {
  // Nobody but git itself makes a ".git", and no tree that it checks out has one.
  if (!valid_name(name) || name == ".git") return false;
  return lengths_[base] + 1 + row.path.size() <= kMaxPath;
}

Status Snapshot::add(Number base, std::uint16_t remote, const TreeRow& row) {
  if (nodes_.size() > kMaxEntries) {
    return Error{Code::too_large,
                 "the commit has more than " + std::to_string(kMaxEntries) + " entries"};
  }
  const auto slash = row.path.rfind('/');
  const auto directory = slash == std::string_view::npos ? "" : row.path.substr(0, slash);
  const auto name = slash == std::string_view::npos ? row.path : row.path.substr(slash + 1);
  const Number parent = parent_of(base, directory);
  if (parent == kNone || !fits(base, row, name)) {
    ++left_out_;
    return {};
  }
  Node node;
  node.parent = parent;
  node.type = row.type;
  node.remote = remote;
  node.name_at = text_.size();
  node.name_bytes = static_cast<std::uint8_t>(name.size());
  text_.append(name);
  node.id_at = text_.size();
  node.id_digits = static_cast<std::uint8_t>(row.id.size());
  text_.append(row.id);
  const auto number = static_cast<Number>(nodes_.size());
  if (row.type == RowType::symlink) {
    if (symlinks_.size() == kMaxSymlinks) {
      return Error{Code::too_large,
                   "the commit has more than " + std::to_string(kMaxSymlinks) + " symbolic links"};
    }
    symlinks_.push_back(number);
  }
  if (row.type == RowType::submodule) submodules_.push_back(number);
  if (row.type == RowType::directory) open_.emplace_back(row.path, number);
  nodes_.push_back(node);
  lengths_.push_back(lengths_[base] + 1 + row.path.size());
  return {};
}

void Snapshot::finish() {
  order_.resize(nodes_.size() - 1);
  for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<Number>(i + 1);
  std::sort(order_.begin(), order_.end(), [this](Number a, Number b) {
    return std::make_tuple(nodes_[a].parent, name(a)) < std::make_tuple(nodes_[b].parent, name(b));
  });
  begins_.assign(nodes_.size() + 1, 0);
  for (std::size_t i = 1; i < nodes_.size(); ++i) ++begins_[nodes_[i].parent + 1];
  for (std::size_t i = 1; i < begins_.size(); ++i) begins_[i] += begins_[i - 1];
}

std::span<const Snapshot::Number> Snapshot::children(Number directory) const {
  return std::span(order_).subspan(begins_[directory], begins_[directory + 1] - begins_[directory]);
}

std::string Snapshot::path(Number number) const {
  std::string out;
  for (; number != kRoot; number = nodes_[number].parent) {
    out.insert(0, out.empty() ? "" : "/").insert(0, name(number));
  }
  return out;
}

Snapshot::Number Snapshot::find(std::string_view path) const {
  Number at = kRoot;
  while (!path.empty()) {
    const auto slash = std::min(path.find('/'), path.size());
    const auto wanted = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    const auto names = children(at);
    const auto found = std::lower_bound(names.begin(), names.end(), wanted,
                                        [this](Number one, auto text) { return name(one) < text; });
    if (found == names.end() || name(*found) != wanted) return kNone;
    at = *found;
  }
  return at;
}

}  // namespace lazyvol::git
