#include "volume/tree.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/log.h"

namespace lazyvol::volume {
namespace {

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
  if (auto found = unsaved_.find(directory)) return found;
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
  auto header = store_.header(volume_, directory);
  const bool huge = header.ok() && *header && (*header)->entries > kMaxDirectoryDecoded;
  // Anything else that cannot be read is damaged: as if it had never been listed.
  if (!huge) return std::optional<cache::DirectoryHeader>();
  return header;
}

Result<std::optional<cache::StoredEntry>> Tree::find(NodeId directory, std::string_view name) {
  if (auto found = decoded(directory)) return found->find(name);
  return store_.find(volume_, directory, name);
}

Result<std::vector<cache::StoredEntry>> Tree::entries(NodeId directory) {
  if (auto found = decoded(directory)) return found->all();
  return store_.entries(volume_, directory);
}

std::optional<std::size_t> Tree::position(NodeId directory, std::string_view name) {
  auto found = unsaved_.find(directory);
  if (!found) found = decoded_.find(directory);
  return found ? found->position(name) : std::nullopt;
}

std::vector<cache::StoredEntry> Tree::slice(NodeId directory, std::size_t begin, std::size_t end) {
  auto found = unsaved_.find(directory);
  if (!found) found = decoded_.find(directory);
  return found ? found->slice(begin, end) : std::vector<cache::StoredEntry>{};
}

Result<std::optional<cache::NodePlace>> Tree::named_by_parent(NodeId id) {
  if (auto found = unsaved_.place(id)) return found;
  LAZYVOL_TRY_ASSIGN(auto found, store_.place(volume_, id));
  if (found && unsaved_.find(found->parent)) found.reset();  // its listing of now leaves it out
  return found;
}

Result<std::optional<cache::NodePlace>> Tree::place(NodeId id) {
  if (id == kRootNode) return std::optional(cache::NodePlace{kRootNode, ""});
  LAZYVOL_TRY_ASSIGN(auto found, named_by_parent(id));
  if (!found || unsaved_.empty()) return found;
  // The index still has what is below a directory that vanished since it could be written.
  std::size_t depth = 0;
  for (NodeId above = found->parent; above != kRootNode;) {
    LAZYVOL_TRY_ASSIGN(const auto next, named_by_parent(above));
    if (!next || ++depth > kMaxDepth) return std::optional<cache::NodePlace>();
    above = next->parent;
  }
  return found;
}

Result<std::string> Tree::path_of(NodeId directory) {
  std::vector<std::string> names;
  for (NodeId id = directory; id != kRootNode;) {
    LAZYVOL_TRY_ASSIGN(auto found, named_by_parent(id));
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

Result<TreeChanges> Tree::write_listing(NodeId directory, Listing listing, std::int64_t wall_ns,
                                        bool alone) {
  const std::lock_guard writer(writing(directory));
  LAZYVOL_TRY_ASSIGN(const auto at, place(directory));
  if (!at) return gone(directory);
  LAZYVOL_TRY_ASSIGN(auto known, header(directory));
  const bool first = !known;
  if (listing.not_modified) {
    if (first) return Error{Code::io_error, "not modified, but never listed"};
    known->listed_wall_ns = wall_ns;
    if (!listing.validator.empty()) known->validator = std::move(listing.validator);
    LAZYVOL_TRY(put_header(directory, *known));
    return TreeChanges{};
  }
  std::vector<cache::StoredEntry> old;
  if (!first) {
    LAZYVOL_TRY_ASSIGN(old, entries(directory));
  }
  auto merged = merge_listing(old, std::move(listing.entries), listing.hides_dot_names);
  if (!merged.gone_directories.empty() && !alone) return Error{Code::busy, "alone"};
  if (merged.new_ids > 0) {
    LAZYVOL_TRY_ASSIGN(NodeId next, store_.allocate_nodes(volume_, merged.new_ids));
    for (auto& entry : merged.entries) {
      if (entry.id == 0) entry.id = next++;
    }
  }
  const cache::DirectoryHeader now{wall_ns, std::move(listing.validator), merged.entries.size(),
                                   listing.refused + merged.refused, listing.hides_dot_names};
  TreeChanges changes;
  if (!first) {
    for (auto& name : merged.changed_names)
      changes.entries.emplace_back(directory, std::move(name));
    changes.nodes = std::move(merged.changed_nodes);
    if (!changes.entries.empty()) changes.nodes.push_back(directory);
  }
  if (merged.same && !first) {
    LAZYVOL_TRY(put_header(directory, now));
  } else {
    LAZYVOL_TRY(put_listing(directory, now, std::move(merged.entries)));
  }
  if (!merged.gone_directories.empty()) drop_vanished();
  return changes;
}

/// Runs `attempt` beside other writers; once more, alone, when it turns out that directories
/// vanish: the store then forgets all below them, which nobody may write meanwhile.
template <class T>
Result<T> Tree::write(const std::function<Result<T>(bool alone)>& attempt) {
  {
    const std::shared_lock beside_others(forgetting_);
    auto result = attempt(false);
    if (result.ok() || result.error().code != Code::busy) return result;
  }
  const std::unique_lock alone(forgetting_);
  return attempt(true);
}

Result<TreeChanges> Tree::apply_listing(NodeId directory, const Listing& listing,
                                        std::int64_t wall_ns) {
  return write<TreeChanges>(
      [&](bool alone) { return write_listing(directory, listing, wall_ns, alone); });
}

Result<cache::StoredEntry> Tree::adopt(NodeId directory, RemoteEntry answer, std::int64_t wall_ns) {
  const std::shared_lock beside_others(forgetting_);
  const std::lock_guard writer(writing(directory));
  LAZYVOL_TRY_ASSIGN(auto known, find(directory, answer.name));
  if (known) return *std::move(known);  // somebody else was first
  LAZYVOL_TRY_ASSIGN(auto now, header(directory));
  if (!now) return Error{Code::stale, "the directory vanished meanwhile"};
  LAZYVOL_TRY_ASSIGN(auto all, entries(directory));
  LAZYVOL_TRY_ASSIGN(const NodeId id, store_.allocate_nodes(volume_, 1));
  answer.listed = answer.settled = false;  // no listing will show a change of it
  cache::StoredEntry entry{std::move(answer), id, wall_ns};
  const auto place = std::lower_bound(all.begin(), all.end(), entry.remote.name,
                                      [](const cache::StoredEntry& other, const std::string& name) {
                                        return other.remote.name < name;
                                      });
  all.insert(place, entry);
  now->entries = all.size();
  LAZYVOL_TRY(put_listing(directory, *now, std::move(all)));
  return entry;
}

Result<Tree::StatApplied> Tree::write_stat(NodeId directory, const std::string& name,
                                           RemoteEntry answer, std::int64_t wall_ns,
                                           const std::string& token_then, bool alone) {
  const std::lock_guard writer(writing(directory));
  LAZYVOL_TRY_ASSIGN(const auto old, find(directory, name));
  if (!old) return Error{Code::not_found, name + ": vanished meanwhile"};
  StatApplied out;
  auto merged = merge_stat(*old, std::move(answer), wall_ns, token_then);
  const bool directory_gone = merged.entry.id == 0 && old->remote.type == NodeType::directory;
  if (directory_gone && !alone) return Error{Code::busy, "alone"};
  if (merged.entry.id == 0) {
    LAZYVOL_TRY_ASSIGN(merged.entry.id, store_.allocate_nodes(volume_, 1));
    out.changes.entries.emplace_back(directory, name);
    out.changes.nodes.push_back(directory);
  } else if (merged.attributes_changed && old->stat_wall_ns != 0) {
    out.changes.nodes.push_back(merged.entry.id);
  }
  LAZYVOL_TRY(put_entry(directory, merged.entry));
  if (directory_gone) drop_vanished();
  out.entry = std::move(merged.entry);
  return out;
}

Result<Tree::StatApplied> Tree::apply_stat(NodeId directory, const std::string& name,
                                           const RemoteEntry& answer, std::int64_t wall_ns,
                                           const std::string& token_then) {
  return write<StatApplied>(
      [&](bool alone) { return write_stat(directory, name, answer, wall_ns, token_then, alone); });
}

Status Tree::rewrite(NodeId directory, const std::string& name,
                     const std::function<void(cache::StoredEntry&)>& change) {
  const std::shared_lock beside_others(forgetting_);
  const std::lock_guard writer(writing(directory));
  LAZYVOL_TRY_ASSIGN(auto entry, find(directory, name));
  if (!entry) return Error{Code::not_found, name + ": vanished meanwhile"};
  change(*entry);
  return put_entry(directory, *entry);
}

Status Tree::mark_missing(NodeId directory, const std::string& name, std::int64_t wall_ns) {
  return rewrite(directory, name, [&](cache::StoredEntry& entry) {
    entry.remote.size.reset();  // the validator stays, to know another version by
    entry.stat_wall_ns = wall_ns;
  });
}

Status Tree::mark_in_doubt(NodeId directory, const std::string& name) {
  return rewrite(directory, name,
                 [](cache::StoredEntry& entry) { entry.stat_wall_ns = kStatInDoubt; });
}

Result<TreeChanges> Tree::disown(NodeId directory, const std::string& name) {
  const std::unique_lock alone(forgetting_);  // the entry may be a directory with more below
  LAZYVOL_TRY_ASSIGN(auto now, header(directory));
  if (!now) return TreeChanges{};
  LAZYVOL_TRY_ASSIGN(auto all, entries(directory));
  const auto removed = std::erase_if(all, [&](const cache::StoredEntry& entry) {
    return entry.remote.name == name && !entry.remote.listed;
  });
  if (removed == 0) return TreeChanges{};
  now->entries = all.size();
  LAZYVOL_TRY(put_listing(directory, *now, std::move(all)));
  drop_vanished();
  return TreeChanges{{{directory, name}}, {}};
}

namespace {

/// What the index refuses because it is too much or makes no sense is an error; what a full or
/// failing disk refuses is kept in memory.
bool disk_failed(const Status& status) {
  return !status.ok() && status.error().code != Code::too_large &&
         status.error().code != Code::invalid_argument && status.error().code != Code::not_found;
}

}  // namespace

Status Tree::put_listing(NodeId directory, const cache::DirectoryHeader& header,
                         std::vector<cache::StoredEntry> sorted) {
  const auto stored = store_.replace(volume_, directory, header, sorted);
  const bool small = sorted.size() <= kMaxDirectoryDecoded;
  auto decoded = std::make_shared<DecodedDirectory>(header, std::move(sorted));
  if (disk_failed(stored)) {
    base::log_debug("the index cannot take a listing: {}", stored.error().message);
    unsaved_.put(directory, decoded);
    decoded_.replace(directory, std::move(decoded));
    return {};
  }
  LAZYVOL_TRY(stored);
  decoded_.replace(directory, small ? std::move(decoded) : nullptr);
  unsaved_.erase(directory);
  return {};
}

Status Tree::put_header(NodeId directory, const cache::DirectoryHeader& header) {
  if (auto unsaved = unsaved_.find(directory))
    return put_listing(directory, header, unsaved->all());
  const auto stored = store_.update_header(volume_, directory, header);
  if (disk_failed(stored)) {
    LAZYVOL_TRY_ASSIGN(auto all, entries(directory));
    return put_listing(directory, header, std::move(all));
  }
  LAZYVOL_TRY(stored);
  decoded_.update_header(directory, header);
  return {};
}

Status Tree::put_entry(NodeId directory, const cache::StoredEntry& entry) {
  const bool unsaved = unsaved_.find(directory) != nullptr;
  if (!unsaved) {
    const auto stored = store_.update_entry(volume_, directory, entry);
    if (!disk_failed(stored)) {
      LAZYVOL_TRY(stored);
      decoded_.update_entry(directory, entry);
      return {};
    }
  }
  LAZYVOL_TRY_ASSIGN(const auto now, header(directory));
  LAZYVOL_TRY_ASSIGN(auto all, entries(directory));
  if (!now) return Error{Code::stale, "the directory vanished meanwhile"};
  for (auto& each : all) {
    if (each.remote.name == entry.remote.name) each = entry;
  }
  return put_listing(directory, *now, std::move(all));
}

/// Vanished directories are no longer found in the store; what was decoded of them goes, too.
void Tree::drop_vanished() {
  for (const NodeId id : unsaved_.ids()) {
    const auto at = place(id);
    if (at.ok() && !*at) unsaved_.erase(id);
  }
  for (const NodeId id : decoded_.ids()) {
    const auto at = place(id);
    if (at.ok() && !*at) decoded_.replace(id, nullptr);
  }
}

}  // namespace lazyvol::volume
