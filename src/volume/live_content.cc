#include "volume/live_content.h"

#include <utility>

namespace lazyvol::volume {

Result<fetch::ContentRef> live_content(Core& core, NodeId parent, const RemoteEntry& remote) {
  if (remote.type == NodeType::directory) {
    return Error{Code::is_directory, remote.name + ": is a directory"};
  }
  if (remote.type != NodeType::file) {
    return Error{Code::invalid_argument, remote.name + ": not a regular file"};
  }
  LAZYVOL_TRY_ASSIGN(auto path, core.tree.path_of(parent, remote.name));
  const auto key = model::live_content_key(core.content_source, path, remote.validator);
  return fetch::ContentRef{std::move(path), remote.validator, remote.size.value_or(0), key};
}

}  // namespace lazyvol::volume
