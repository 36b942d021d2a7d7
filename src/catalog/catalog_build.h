// Making the catalog of a revision: both trees, from nothing or from the revision before.
//
// Thread rule: one thread for each builder or update.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "catalog/entry.h"
#include "catalog/page_store.h"
#include "catalog/splitter.h"
#include "catalog/tree_update.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

/// The root pages of both trees, as they lie in a head.
struct Roots {
  std::string names, ids;
  bool operator==(const Roots&) const = default;
};
Roots empty_roots();

/// Builds both trees from all entries of a volume.
class CatalogBuilder {
 public:
  /// `writer` must outlive the builder. The chunking must pass check_chunking().
  CatalogBuilder(PageWriter& writer, const Chunking& chunking);
  ~CatalogBuilder();
  CatalogBuilder(const CatalogBuilder&) = delete;
  CatalogBuilder& operator=(const CatalogBuilder&) = delete;

  /// Takes the next entry, by strictly rising directory and name. Memory: one page, a key and a
  /// reference for each leaf, and a run of ids for each leaf or break in their order.
  /// Errors: invalid_argument (the entry, the order), those of the writer.
  Status add(Entry entry);
  /// Ends it. Errors: those of the writer; invalid_argument when two entries that are no aliases
  /// have one id.
  Result<Roots> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

using EntryEdit = Edit<Entry>;
EntryEdit put_entry(Entry entry);
EntryEdit erase_entry(NodeId directory, std::string_view name);

/// The roots after `edits`, which have strictly rising keys (`name_key`); equal to those that a
/// builder makes of the edited entries. An edit that erases what is not there does nothing. Errors:
/// invalid_argument (an entry, the order), those of reader and writer, corrupt.
Result<Roots> update_catalog(PageReader& reader, PageWriter& writer, const Roots& roots,
                             const Chunking& chunking, std::vector<EntryEdit> edits);

}  // namespace lazyvol::catalog
