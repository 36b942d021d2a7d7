#include "volume/directory_snapshot.h"

namespace lazyvol::volume {

DirectorySnapshot::DirectorySnapshot(NodeId id, NodeId parent,
                                     const std::vector<cache::StoredEntry>& sorted,
                                     const NodeView& view, std::int64_t now_wall_ns,
                                     std::chrono::milliseconds left)
    : id_(id), parent_(parent), good_until_(base::system_clock().now() + left) {
  rows_.reserve(sorted.size());
  for (const auto& entry : sorted) {
    if (!entry.remote.listed) continue;
    Row row;
    row.name_begin = names_.size();
    row.name_size = static_cast<std::uint32_t>(entry.remote.name.size());
    row.known = knowledge_of(entry, now_wall_ns, view.ttl()) == Knowledge::known;
    row.node = view.node(entry, now_wall_ns, left);
    names_ += entry.remote.name;
    rows_.push_back(row);
  }
}

Directory::Item DirectorySnapshot::item(const Row& row) const {
  Item item;
  item.name = std::string_view(names_).substr(row.name_begin, row.name_size);
  item.id = row.node.attributes.id;
  item.type = row.node.attributes.type;
  if (row.known) item.node = row.node;
  return item;
}

void DirectorySnapshot::read(std::uint64_t position, RequestContext, Visit visit,
                             std::function<void(Status)> done) {
  for (std::uint64_t i = position; i < rows_.size() && visit(item(rows_[i])); ++i) {
  }
  done({});
}

}  // namespace lazyvol::volume
