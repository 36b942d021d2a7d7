#include "catalog/directory_walk.h"

#include "catalog/key.h"

namespace lazyvol::catalog {

DirectoryWalk::DirectoryWalk(NodeId directory, std::string_view after)
    : directory_(directory),
      key_(after.empty() ? name_key(directory, {}) : key_after(name_key(directory, after))) {}

Status DirectoryWalk::take(const LeafPage& leaf, std::size_t limit, std::vector<ListedEntry>& out) {
  LAZYVOL_TRY_ASSIGN(const std::size_t begin,
                     leaf.lower_bound(directory_, std::string_view(key_).substr(8)));
  const std::string start = key_;
  LeafWalk walk(leaf, begin);
  while (walk.next()) {
    if (walk.directory() != directory_) {
      finished_ = true;
      return {};
    }
    if (out.size() >= limit) return {};
    LAZYVOL_TRY_ASSIGN(const Attributes attributes, leaf.attributes(walk.row()));
    out.push_back({std::string(walk.name()), attributes});
    key_ = key_after(name_key(directory_, walk.name()));
  }
  LAZYVOL_TRY(walk.status());
  // A leaf without a name at or after the key would be asked for again and again.
  if (key_ == start) return damaged_page("not the leaf that was sought");
  return {};
}

}  // namespace lazyvol::catalog
