#include "git/old_entries.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "catalog/catalog_read.h"

namespace lazyvol::git {

std::string content_key_of(const catalog::Entry& entry) {
  if (entry.type == NodeType::symlink) return entry.symlink_target;
  if (const auto* object = std::get_if<catalog::ObjectContent>(&entry.content)) {
    return object->name;
  }
  return {};
}

Result<OldEntries> OldEntries::load(catalog::PageReader& reader, const catalog::Head& head) {
  OldEntries out;
  const auto root = std::make_shared<const std::string>(head.roots.names);
  LAZYVOL_TRY(catalog::for_each_entry(reader, root, [&](catalog::Entry entry) -> Status {
    out.entries_.push_back({entry.directory, entry.id, entry.type, entry.mode, entry.size,
                            entry.mtime_ns, std::move(entry.name), content_key_of(entry)});
    return {};
  }));
  return out;
}

std::span<const OldEntries::Old> OldEntries::in(NodeId directory) const {
  Old sought;
  sought.directory = directory;
  const auto [begin, end] =
      std::equal_range(entries_.begin(), entries_.end(), sought,
                       [](const Old& a, const Old& b) { return a.directory < b.directory; });
  return {begin, end};
}

}  // namespace lazyvol::git
