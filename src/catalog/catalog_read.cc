#include "catalog/catalog_read.h"

#include "catalog/descent.h"
#include "catalog/ids_page.h"
#include "catalog/leaf_page.h"

namespace lazyvol::catalog {

Result<Page> find_leaf(PageReader& reader, const Page& root, Tree tree, std::string key) {
  Descent descent(tree, std::move(key));
  Page page = root;
  for (;;) {
    LAZYVOL_TRY_ASSIGN(const Descent::Step step, descent.enter(*page));
    if (step.absent) return Page();
    if (!step.next) return page;
    LAZYVOL_TRY_ASSIGN(page, reader.read(*step.next));
  }
}

Result<std::optional<Entry>> find_entry(PageReader& reader, const Page& names, NodeId directory,
                                        std::string_view name) {
  LAZYVOL_TRY_ASSIGN(const Page page,
                     find_leaf(reader, names, Tree::names, name_key(directory, name)));
  if (!page) return std::optional<Entry>();
  LAZYVOL_TRY_ASSIGN(const LeafPage leaf, LeafPage::open(*page));
  LAZYVOL_TRY_ASSIGN(const auto row, leaf.find(directory, name));
  if (!row) return std::optional<Entry>();
  LAZYVOL_TRY_ASSIGN(Entry entry, leaf.entry(*row));
  return std::optional(std::move(entry));
}

Result<std::optional<Entry>> find_entry(PageReader& reader, const Page& names, const Page& ids,
                                        NodeId id) {
  LAZYVOL_TRY_ASSIGN(const Page page, find_leaf(reader, ids, Tree::ids, id_key(id)));
  if (!page) return std::optional<Entry>();
  LAZYVOL_TRY_ASSIGN(const IdsPage runs, IdsPage::open(*page));
  LAZYVOL_TRY_ASSIGN(const auto run, runs.find(id));
  if (!run) return std::optional<Entry>();
  LAZYVOL_TRY_ASSIGN(const Page found, find_leaf(reader, names, Tree::names,
                                                 name_key(run->leaf.directory, run->leaf.name)));
  if (!found) return damaged_page("an id without a leaf");
  LAZYVOL_TRY_ASSIGN(const LeafPage leaf, LeafPage::open(*found));
  LAZYVOL_TRY_ASSIGN(const auto row, leaf.find_id(id));
  if (!row) return damaged_page("an id without an entry");
  LAZYVOL_TRY_ASSIGN(Entry entry, leaf.entry(*row));
  return std::optional(std::move(entry));
}

Result<std::vector<ListedEntry>> list_directory(PageReader& reader, const Page& names,
                                                NodeId directory, std::string_view after,
                                                std::size_t limit) {
  std::vector<ListedEntry> result;
  DirectoryWalk walk(directory, after);
  while (!walk.finished() && result.size() < limit) {
    LAZYVOL_TRY_ASSIGN(const Page page, find_leaf(reader, names, Tree::names, walk.key()));
    if (!page) break;
    LAZYVOL_TRY_ASSIGN(const LeafPage leaf, LeafPage::open(*page));
    LAZYVOL_TRY(walk.take(leaf, limit, result));
  }
  return result;
}

Status for_each_entry(PageReader& reader, const Page& names,
                      const std::function<Status(Entry)>& visit) {
  std::string key;
  for (;;) {
    LAZYVOL_TRY_ASSIGN(const Page page, find_leaf(reader, names, Tree::names, key));
    if (!page) return {};
    LAZYVOL_TRY_ASSIGN(const LeafPage leaf, LeafPage::open(*page));
    LAZYVOL_TRY(leaf.validate());
    LAZYVOL_TRY_ASSIGN(std::vector<Entry> entries, leaf.entries());
    if (entries.empty()) return {};
    std::string next = key_after(name_key(entries.back().directory, entries.back().name));
    if (next <= key || name_key(entries.front().directory, entries.front().name) < key) {
      return damaged_page("order");
    }
    key = std::move(next);
    for (Entry& entry : entries) LAZYVOL_TRY(visit(std::move(entry)));
    if (page == names) return {};  // a root that is a leaf is found for every key
  }
}

}  // namespace lazyvol::catalog
