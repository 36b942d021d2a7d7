#include "volume/merge.h"

#include <algorithm>
#include <utility>

namespace lazyvol::volume {
namespace {

template <class T>
void keep_if_missing(std::optional<T>& now, const std::optional<T>& before) {
  if (!now) now = before;
}

template <class T>
bool contradicts(const std::optional<T>& now, const std::optional<T>& before) {
  return now && before && *now != *before;
}

bool shows_the_same(const RemoteEntry& a, const RemoteEntry& b) {
  return a.size == b.size && a.mtime_ns == b.mtime_ns && a.mode == b.mode && a.uid == b.uid &&
         a.gid == b.gid;
}

bool another_version(const RemoteEntry& before, const RemoteEntry& now) {
  if (before.type != now.type) return true;
  if (now.type == NodeType::symlink) return before.symlink_target != now.symlink_target;
  if (now.type == NodeType::directory) return false;
  return !before.validator.empty() && !now.validator.empty() && before.validator != now.validator;
}

/// A file whose listing row carries no validator: what stat() said is kept, and doubted when the
/// row itself changed.
cache::StoredEntry keep_stat_fields(const cache::StoredEntry& old, RemoteEntry row) {
  cache::StoredEntry merged{std::move(row), old.id, old.stat_wall_ns};
  RemoteEntry& now = merged.remote;
  const bool row_changed = now.token != old.remote.token ||
                           contradicts(now.size, old.remote.size) ||
                           contradicts(now.mtime_ns, old.remote.mtime_ns);
  now.validator = old.remote.validator;
  now.settled = old.remote.settled;
  now.size = old.remote.size;
  now.mtime_ns = old.remote.mtime_ns;
  keep_if_missing(now.mode, old.remote.mode);
  keep_if_missing(now.uid, old.remote.uid);
  keep_if_missing(now.gid, old.remote.gid);
  if (row_changed) merged.stat_wall_ns = kStatInDoubt;
  return merged;
}

/// The listing shows the version that is known already: what only stat() tells is kept.
cache::StoredEntry same_version_row(const cache::StoredEntry& old, RemoteEntry row) {
  cache::StoredEntry merged{std::move(row), old.id, 0};
  RemoteEntry& now = merged.remote;
  if (!now.size && old.remote.size) merged.stat_wall_ns = old.stat_wall_ns;
  keep_if_missing(now.size, old.remote.size);
  keep_if_missing(now.mtime_ns, old.remote.mtime_ns);
  keep_if_missing(now.mode, old.remote.mode);
  keep_if_missing(now.uid, old.remote.uid);
  keep_if_missing(now.gid, old.remote.gid);
  return merged;
}

/// Bounds what one row of a listing can make us store.
bool can_be_kept(const RemoteEntry& row) {
  constexpr std::size_t kMaxText = 4096;
  return valid_name(row.name) && row.symlink_target.size() <= kMaxPath &&
         row.validator.size() <= kMaxText && row.token.size() <= kMaxText;
}

}  // namespace

MergedEntry merge_row(const cache::StoredEntry& old, RemoteEntry row) {
  if (another_version(old.remote, row)) return {{std::move(row), 0, 0}, false};
  MergedEntry out;
  const bool known = !old.remote.validator.empty();
  if (row.type == NodeType::file && row.validator.empty() && known) {
    out.entry = keep_stat_fields(old, std::move(row));
    out.attributes_changed =
        out.entry.stat_wall_ns == kStatInDoubt && old.stat_wall_ns != kStatInDoubt;
  } else if (row.type == NodeType::file && !row.validator.empty() && known) {
    out.entry = same_version_row(old, std::move(row));
  } else if (row.type == NodeType::file && row.validator.empty() && row.token == old.remote.token) {
    out.entry = {std::move(row), old.id, old.stat_wall_ns};  // keeps "listed, but not there"
  } else {
    out.entry = {std::move(row), old.id, 0};
  }
  out.attributes_changed = out.attributes_changed || !shows_the_same(out.entry.remote, old.remote);
  return out;
}

MergedEntry merge_stat(const cache::StoredEntry& old, RemoteEntry answer,
                       std::int64_t asked_wall_ns, const std::string& token_then) {
  const bool other = another_version(old.remote, answer);
  answer.name = old.remote.name;
  answer.token = old.remote.token;
  answer.listed = old.remote.listed;
  // No listing will show a change of what it leaves out.
  if (!answer.listed) answer.settled = false;
  const bool listed_meanwhile = old.remote.token != token_then;
  MergedEntry out;
  out.entry = {std::move(answer), other ? 0 : old.id,
               listed_meanwhile ? kStatInDoubt : std::max(asked_wall_ns, kStatInDoubt + 1)};
  out.attributes_changed = !other && !shows_the_same(out.entry.remote, old.remote);
  return out;
}

MergedListing merge_listing(const std::vector<cache::StoredEntry>& old,
                            std::vector<RemoteEntry> rows, bool hides_dot_names) {
  MergedListing out;
  const std::size_t told = rows.size();
  std::erase_if(rows, [](const RemoteEntry& row) { return !can_be_kept(row); });
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.name < b.name; });
  rows.erase(std::unique(rows.begin(), rows.end(),
                         [](const auto& a, const auto& b) { return a.name == b.name; }),
             rows.end());
  out.refused = told - rows.size();
  out.entries.reserve(rows.size());

  const auto vanished = [&](const cache::StoredEntry& entry) {
    if (hides_dot_names && !entry.remote.listed) {
      out.entries.push_back(entry);
      return;
    }
    out.changed_names.push_back(entry.remote.name);
    if (entry.remote.type == NodeType::directory) out.gone_directories.push_back(entry.id);
  };
  auto before = old.begin();
  for (auto& row : rows) {
    for (; before != old.end() && before->remote.name < row.name; ++before) {
      vanished(*before);
    }
    if (before == old.end() || before->remote.name != row.name) {
      out.changed_names.push_back(row.name);
      out.entries.push_back({std::move(row), 0, 0});
      ++out.new_ids;
      continue;
    }
    auto merged = merge_row(*before, std::move(row));
    if (merged.entry.id == 0) {
      out.changed_names.push_back(before->remote.name);
      if (before->remote.type == NodeType::directory) out.gone_directories.push_back(before->id);
      ++out.new_ids;
    } else if (merged.attributes_changed) {
      out.changed_nodes.push_back(merged.entry.id);
    }
    out.entries.push_back(std::move(merged.entry));
    ++before;
  }
  for (; before != old.end(); ++before) vanished(*before);
  out.same = out.entries == old;
  return out;
}

}  // namespace lazyvol::volume
