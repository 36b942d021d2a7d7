// Pages of a catalog: leaves, pages of ids, interior pages.
#include <algorithm>
#include <string>
#include <vector>

#include "catalog/ids_page.h"
#include "catalog/interior_page.h"
#include "catalog/leaf_page.h"
#include "catalog/validate_page.h"
#include "fuzz_target.h"

namespace {

using namespace lazyvol::catalog;
using lazyvol::fuzzing::require;

void check_leaf(std::string_view bytes) {
  const auto leaf = LeafPage::open(bytes);
  if (!leaf.ok()) return;
  const bool valid = leaf->validate().ok();
  std::vector<Entry> entries;
  for (std::size_t row = 0; row < std::min<std::size_t>(leaf->rows(), 100); ++row) {
    const auto entry = leaf->entry(row);
    require(entry.ok() || !valid, "each row of a valid page is an entry");
    if (!entry.ok()) continue;
    require(check_entry(*entry).ok(), "what is answered can be");
    if (!valid) continue;
    const auto found = leaf->find(entry->directory, entry->name);
    require(found.ok() && *found == row, "each entry is found");
    const auto shown = leaf->attributes(row);
    require(shown.ok() && shown->size == entry->size, "attributes are the entry's");
    entries.push_back(*entry);
  }
  const auto bound = leaf->lower_bound(2, "m");
  require(!bound.ok() || *bound <= leaf->rows(), "a bound is a row or the end");
  (void)leaf->find_id(3);
  if (!valid) return;
  const std::string again = encode_leaf_page(entries);
  const auto read = LeafPage::open(again);
  require(read.ok() && *read->entries() == entries, "what was read can be written");
}

void check_ids(std::string_view bytes) {
  const auto page = IdsPage::open(bytes);
  if (!page.ok()) return;
  const auto runs = page->runs();
  for (const lazyvol::NodeId id : {0, 2, 3, 100}) {
    const auto run = page->find(id);
    if (run.ok() && *run) require((*run)->first <= id && id <= (*run)->last, "the run has the id");
  }
  if (!runs.ok()) return;
  const std::string again = encode_ids_page(*runs);
  require(*IdsPage::open(again)->runs() == *runs, "what was read can be written");
}

void check_interior(std::string_view bytes) {
  const auto page = InteriorPage::open(bytes);
  if (!page.ok()) return;
  const auto index = page->find(name_key(1, "m"));
  require(!index.ok() || *index <= page->rows(), "a child or the end");
  const auto children = page->children();
  if (!children.ok()) return;
  for (std::size_t i = 0; i < std::min<std::size_t>(children->size(), 100); ++i) {
    const auto found = page->find((*children)[i].last_key);
    require(found.ok() && *found == i, "each child is found by its key");
  }
  const std::string again = encode_interior_page(page->tree(), page->level(), *children);
  require(*InteriorPage::open(again)->children() == *children, "what was read can be written");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = lazyvol::fuzzing::text(data, size);
  check_leaf(bytes);
  check_ids(bytes);
  check_interior(bytes);
  if (validate_page(bytes).ok()) {
    const int views =
        LeafPage::open(bytes).ok() + IdsPage::open(bytes).ok() + InteriorPage::open(bytes).ok();
    require(views == 1, "a valid page is one of the kinds");
  }
  return 0;
}
