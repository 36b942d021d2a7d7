#include "volume/published_view.h"

namespace lazyvol::volume {
namespace {

constexpr std::uint32_t kPermissionBits = 07777;

}  // namespace

Attributes PublishedView::attributes_of(const catalog::Entry& entry) {
  Attributes out;
  out.id = entry.id;
  out.type = entry.type;
  out.mode = entry.mode;
  out.uid = entry.uid;
  out.gid = entry.gid;
  out.nlink = entry.nlink;
  out.size = entry.size;
  out.mtime_ns = entry.mtime_ns;
  return out;
}

Node PublishedView::node(const Revision& revision, Attributes attributes,
                         std::chrono::milliseconds ttl) const {
  attributes.id = revision.shown(attributes.id);
  attributes.uid = uid_.value_or(attributes.uid);
  attributes.gid = gid_.value_or(attributes.gid);
  if (attributes.type == NodeType::file) attributes.mode = file_mode_.value_or(attributes.mode);
  if (attributes.type == NodeType::directory) {
    attributes.mode = dir_mode_.value_or(attributes.mode);
  }
  attributes.mode &= kPermissionBits;
  return {attributes, ttl, ttl};
}

Node PublishedView::root(const Revision& revision, std::chrono::milliseconds ttl) const {
  const catalog::RootDirectory& root = revision.head().root;
  Attributes attributes;
  attributes.id = kRootNode;
  attributes.type = NodeType::directory;
  attributes.mode = root.mode;
  attributes.uid = root.uid;
  attributes.gid = root.gid;
  attributes.nlink = 2;
  attributes.mtime_ns = root.mtime_ns;
  return node(revision, attributes, ttl);
}

}  // namespace lazyvol::volume
