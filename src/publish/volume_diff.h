// What changed between two revisions, as names.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "catalog/head.h"
#include "lazyvol/error.h"
#include "publish/store.h"

namespace lazyvol::publish {

struct NameChange {
  enum class Kind : std::uint8_t {
    added,
    removed,
    content,     ///< other bytes, another target, another type
    attributes,  ///< mode, owner, time, links, extended attributes
    moved,       ///< the same entry under another name; what else changed of it comes by itself
  } kind = Kind::added;
  std::string path;      ///< in the new revision; of a removed name in the old one
  std::string old_path;  ///< of a moved one
  NodeType type = NodeType::file;
};

/// Shows the changes from `before` to `after` in the order of the tree of names: by the id of the
/// directory, then by name. A directory that moved is one change. The root directory's path is "".
/// Memory: some pages of each side, whatever the number of changes. Thread rule: `visit` is called
/// from the caller's thread; an error ends it.
/// Errors: invalid_argument (two volumes), those of the store, corrupt, cancelled, the visit's.
Status diff_revisions(Store& store, const catalog::Head& before, const catalog::Head& after,
                      const std::function<Status(const NameChange&)>& visit, std::stop_token stop);

}  // namespace lazyvol::publish
