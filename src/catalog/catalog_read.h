// Asking a catalog, where its pages can be had at once: the drivers over Descent and DirectoryWalk
// for tools, the publisher and tests. A source that waits for pages drives those itself.
//
// Errors of all: those of the reader; corrupt.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/directory_walk.h"
#include "catalog/entry.h"
#include "catalog/page_store.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

using Page = std::shared_ptr<const std::string>;

/// The leaf of the tree of `root` that holds the first key at or after `key`; null when there is
/// none.
Result<Page> find_leaf(PageReader& reader, const Page& root, Tree tree, std::string key);

Result<std::optional<Entry>> find_entry(PageReader& reader, const Page& names, NodeId directory,
                                        std::string_view name);
/// By id: the name that is no alias.
Result<std::optional<Entry>> find_entry(PageReader& reader, const Page& names, const Page& ids,
                                        NodeId id);
/// Up to `limit` names of `directory` after `after`.
Result<std::vector<ListedEntry>> list_directory(PageReader& reader, const Page& names,
                                                NodeId directory, std::string_view after,
                                                std::size_t limit);
/// All entries of a volume in order, and the proof that its tree of names is in order.
Status for_each_entry(PageReader& reader, const Page& names,
                      const std::function<Status(Entry)>& visit);

}  // namespace lazyvol::catalog
