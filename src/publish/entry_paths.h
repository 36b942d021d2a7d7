// Paths of entries, which a catalog only knows by the directory's id and a name.
//
// Thread rule: one thread at a time.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "catalog/catalog_build.h"
#include "catalog/catalog_read.h"
#include "catalog/page_store.h"
#include "lazyvol/error.h"

namespace lazyvol::publish {

class EntryPaths {
 public:
  /// `reader` must outlive it.
  EntryPaths(catalog::PageReader& reader, const catalog::Roots& roots);

  /// The path of a name, relative to the volume, without a slash at either end. Errors: those of
  /// the reader; corrupt (a directory that is not there, or lies in itself).
  Result<std::string> path(NodeId directory, std::string_view name);
  /// The same for messages: never fails; where the way up is damaged the path begins with
  /// "(directory ID)".
  std::string shown(NodeId directory, std::string_view name);

 private:
  Result<std::string> directory(NodeId id);

  catalog::PageReader& reader_;
  const catalog::Page names_, ids_;
  std::unordered_map<NodeId, std::string> known_;  // of directories; emptied when it is full
};

}  // namespace lazyvol::publish
