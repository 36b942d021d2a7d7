#include "volume/tree.h"

#include <algorithm>
#include <functional>

#include "base/log.h"

namespace lazyvol::volume {
namespace {

constexpr std::uint64_t kIdsAtOnce = 1024;
constexpr std::size_t kMaxDepth = kMaxPath / 2 + 1;

Error gone(NodeId id) {
  return {Code::stale, "node " + std::to_string(id) + " no longer names anything"};
}

std::string joined(std::string_view directory, std::string_view name) {
  std::string out(directory);
  if (!out.empty() && !name.empty()) out += '/';
  return out += name;
}

}  // namespace

Tree::Tree(cache::TreeStore& store, cache::VolumeId volume, std::string root_path)
    : store_(store), volume_(volume), root_path_(std::move(root_path)) {}

std::shared_ptr<DecodedDirectory> Tree::decoded(NodeId directory) {
  if (auto found = decoded_.find(directory)) return found;
  const auto ticket = decoded_.ticket(directory);
  // The header first: entries may then be newer than it says, never older.
  auto header = store_.header(volume_, directory);
  if (!header.ok() || !*header || (*header)->entries > kMaxDirectoryDecoded) return nullptr;
  auto entries = store_.entries(volume_, directory);
  if (!entries.ok()) return nullptr;
  auto made = std::make_shared<DecodedDirectory>(**header, std::move(*entries));
  decoded_.insert(directory, made, ticket);
  return made;
}

Result<std::optional<cache::DirectoryHeader>> Tree::header(NodeId directory) {
  if (auto found = decoded(directory)) return std::optional(found->header());
  return store_.header(volume_, directory);
}

Result<std::optional<cache::StoredEntry>> Tree::find(NodeId directory, std::string_view name) {
  if (auto found = decoded(directory)) return found->find(name);
  return store_.find(volume_, directory, name);
}

Result<std::vector<cache::StoredEntry>> Tree::entries(NodeId directory) {
  if (auto found = decoded(directory)) return found->slice(0, kMaxDirectoryDecoded);
  return store_.entries(volume_, directory);
}

std::optional<std::size_t> Tree::position(NodeId directory, std::string_view name) {
  auto found = decoded_.find(directory);
  return found ? found->position(name) : std::nullopt;
}

std::vector<cache::StoredEntry> Tree::slice(NodeId directory, std::size_t begin, std::size_t end) {
  auto found = decoded_.find(directory);
  return found ? found->slice(begin, end) : std::vector<cache::StoredEntry>{};
}

Result<std::optional<cache::NodePlace>> Tree::place(NodeId id) {
  if (id == kRootNode) return std::optional(cache::NodePlace{kRootNode, ""});
  return store_.place(volume_, id);
}

Result<std::string> Tree::path_of(NodeId directory) {
  std::vector<std::string> names;
  for (NodeId id = directory; id != kRootNode;) {
    LAZYVOL_TRY_ASSIGN(auto found, store_.place(volume_, id));
    if (!found || names.size() >= kMaxDepth) return gone(directory);
    names.push_back(std::move(found->name));
    id = found->parent;
  }
  std::string path = root_path_;
  for (auto name = names.rbegin(); name != names.rend(); ++name) path = joined(path, *name);
  if (path.size() > kMaxPath) return Error{Code::name_too_long, "path longer than 4095 bytes"};
  return path;
}

Result<std::string> Tree::path_of(NodeId parent, std::string_view name) {
  LAZYVOL_TRY_ASSIGN(auto directory, path_of(parent));
  auto path = joined(directory, name);
  if (path.size() > kMaxPath) return Error{Code::name_too_long, "path longer than 4095 bytes"};
  return path;
}

Result<Tree::Located> Tree::locate(std::string_view source_path) {
  const Error unknown{Code::not_found, std::string(source_path) + ": not known"};
  if (!root_path_.empty() && source_path != root_path_) {
    if (!source_path.starts_with(root_path_ + "/")) return unknown;
    source_path.remove_prefix(root_path_.size() + 1);
  } else {
    source_path.remove_prefix(root_path_.size());
  }
  Located at;
  while (!source_path.empty()) {
    const auto slash = source_path.find('/');
    const auto name = source_path.substr(0, slash);
    source_path.remove_prefix(slash == std::string_view::npos ? source_path.size() : slash + 1);
    at.parent = at.id();
    LAZYVOL_TRY_ASSIGN(at.entry, find(at.parent, name));
    if (!at.entry) return unknown;
  }
  return at;
}

Result<NodeId> Tree::take_ids(std::uint64_t count) {
  auto ids = ids_.lock();
  if (ids->end - ids->next < count) {
    const std::uint64_t wanted = std::max(count, kIdsAtOnce);
    LAZYVOL_TRY_ASSIGN(const NodeId first, store_.allocate_nodes(volume_, wanted));
    *ids = {first, first + wanted};
  }
  const NodeId first = ids->next;
  ids->next += count;
  return first;
}

Result<TreeChanges> Tree::write_listing(NodeId directory, Listing listing, std::int64_t wall_ns,
                                        std::vector<NodeId>& gone_directories) {
  const std::lock_guard writer(writing(directory));
  LAZYVOL_TRY_ASSIGN(const auto at, place(directory));
  if (!at) return gone(directory);
  LAZYVOL_TRY_ASSIGN(auto header, store_.header(volume_, directory));
  const bool first = !header;
  if (listing.not_modified) {
    if (first) return Error{Code::io_error, "not modified, but never listed"};
    header->listed_wall_ns = wall_ns;
    if (!listing.validator.empty()) header->validator = std::move(listing.validator);
    LAZYVOL_TRY(store_.update_header(volume_, directory, *header));
    decoded_.update_header(directory, *header);
    return TreeChanges{};
  }
  std::vector<cache::StoredEntry> old;
  if (!first) {
    LAZYVOL_TRY_ASSIGN(old, store_.entries(volume_, directory));
  }
  auto merged = merge_listing(old, std::move(listing.entries));
  if (merged.new_ids > 0) {
    LAZYVOL_TRY_ASSIGN(NodeId next, take_ids(merged.new_ids));
    for (auto& entry : merged.entries) {
      if (entry.id == 0) entry.id = next++;
    }
  }
  const cache::DirectoryHeader now{wall_ns, std::move(listing.validator), merged.entries.size(),
                                   listing.refused + merged.refused};
  if (merged.same && !first) {
    LAZYVOL_TRY(store_.update_header(volume_, directory, now));
  } else {
    LAZYVOL_TRY(store_.replace(volume_, directory, now, merged.entries));
  }
  gone_directories = std::move(merged.gone_directories);
  TreeChanges changes;
  if (!first) {
    for (auto& name : merged.changed_names)
      changes.entries.emplace_back(directory, std::move(name));
    changes.nodes = std::move(merged.changed_nodes);
    if (!changes.entries.empty()) changes.nodes.push_back(directory);
  }
  const bool small = merged.entries.size() <= kMaxDirectoryDecoded;
  decoded_.replace(
      directory,
      small ? std::make_shared<DecodedDirectory>(now, std::move(merged.entries)) : nullptr);
  return changes;
}

Result<TreeChanges> Tree::apply_listing(NodeId directory, Listing listing, std::int64_t wall_ns) {
  std::vector<NodeId> gone_directories;
  auto changes = [&] {
    const std::shared_lock keep(forgetting_);
    return write_listing(directory, std::move(listing), wall_ns, gone_directories);
  }();
  forget(gone_directories);
  return changes;
}

Result<Tree::StatApplied> Tree::apply_stat(NodeId directory, const std::string& name,
                                           RemoteEntry answer, std::int64_t wall_ns,
                                           const std::string& token_then) {
  std::vector<NodeId> gone_directories;
  StatApplied out;
  {
    const std::shared_lock keep(forgetting_);
    const std::lock_guard writer(writing(directory));
    LAZYVOL_TRY_ASSIGN(const auto old, store_.find(volume_, directory, name));
    if (!old) return Error{Code::not_found, name + ": vanished meanwhile"};
    auto merged = merge_stat(*old, std::move(answer), wall_ns, token_then);
    if (merged.entry.id == 0) {
      LAZYVOL_TRY_ASSIGN(merged.entry.id, take_ids(1));
      out.changes.entries.emplace_back(directory, name);
      out.changes.nodes.push_back(directory);
      if (old->remote.type == NodeType::directory) gone_directories.push_back(old->id);
    } else if (merged.attributes_changed && old->stat_wall_ns != 0) {
      out.changes.nodes.push_back(merged.entry.id);
    }
    LAZYVOL_TRY(store_.update_entry(volume_, directory, merged.entry));
    decoded_.update_entry(directory, merged.entry);
    out.entry = std::move(merged.entry);
  }
  forget(gone_directories);
  return out;
}

Status Tree::rewrite(NodeId directory, const std::string& name,
                     const std::function<void(cache::StoredEntry&)>& change) {
  const std::shared_lock keep(forgetting_);
  const std::lock_guard writer(writing(directory));
  LAZYVOL_TRY_ASSIGN(auto entry, store_.find(volume_, directory, name));
  if (!entry) return Error{Code::not_found, name + ": vanished meanwhile"};
  change(*entry);
  LAZYVOL_TRY(store_.update_entry(volume_, directory, *entry));
  decoded_.update_entry(directory, *entry);
  return {};
}

Status Tree::mark_missing(NodeId directory, const std::string& name, std::int64_t wall_ns) {
  return rewrite(directory, name, [&](cache::StoredEntry& entry) {
    entry.remote.size.reset();
    entry.stat_wall_ns = wall_ns;
  });
}

Status Tree::mark_in_doubt(NodeId directory, const std::string& name) {
  return rewrite(directory, name,
                 [](cache::StoredEntry& entry) { entry.stat_wall_ns = kStatInDoubt; });
}

void Tree::forget(const std::vector<NodeId>& directories) {
  if (directories.empty()) return;
  const std::unique_lock alone(forgetting_);
  for (const NodeId id : directories) {
    if (auto status = store_.forget(volume_, id); !status.ok()) {
      base::log_warn("forgetting a vanished directory: {}", status.error().message);
    }
    decoded_.replace(id, nullptr);
  }
  for (const NodeId id : decoded_.ids()) {
    const auto at = place(id);
    if (at.ok() && !*at) decoded_.replace(id, nullptr);
  }
}

}  // namespace lazyvol::volume
