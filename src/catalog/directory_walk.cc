#include "catalog/directory_walk.h"

#include "catalog/key.h"

namespace lazyvol::catalog {

DirectoryWalk::DirectoryWalk(NodeId directory, std::string_view after)
    : directory_(directory),
      key_(after.empty() ? name_key(directory, {}) : key_after(name_key(directory, after))) {}

Status DirectoryWalk::take(const LeafPage& leaf, std::size_t limit, std::vector<ListedEntry>& out) {
  LAZYVOL_TRY_ASSIGN(const std::size_t begin,
                     leaf.lower_bound(directory_, std::string_view(key_).substr(8)));
  LeafWalk walk(leaf, begin);
  const std::size_t before = out.size();
  while (out.size() < limit && walk.next()) {
    if (walk.directory() != directory_) {
      finished_ = true;
      break;
    }
    LAZYVOL_TRY_ASSIGN(const Attributes attributes, leaf.attributes(walk.row()));
    out.push_back({std::string(walk.name()), attributes});
  }
  LAZYVOL_TRY(walk.status());
  if (out.size() > before) {
    key_ = key_after(name_key(directory_, out.back().name));
  } else if (out.size() < limit) {
    finished_ = true;  // nothing at or after the key: the tree's only leaf, and its end
  }
  return {};
}

}  // namespace lazyvol::catalog
