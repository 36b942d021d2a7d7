#include "publish/revision_list.h"

#include <algorithm>
#include <set>
#include <utility>

#include "catalog/pack.h"
#include "publish/kept_heads.h"
#include "publish/reach.h"
#include "publish/volume_reader.h"

namespace lazyvol::publish {
namespace {

/// The row of this document, made when there is none yet.
Revision& row_of(std::vector<Revision>& rows, const catalog::HeadDocument& document) {
  for (Revision& row : rows) {
    if (row.document && row.document->digest == document.digest) return row;
  }
  Revision row;
  row.sequence = document.head.sequence;
  row.document = document;
  rows.push_back(std::move(row));
  return rows.back();
}

/// Rows of heads that cannot be read are shown as such.
Revision& damaged_row(std::vector<Revision>& rows, const HeadFile& file, const Error& error) {
  Revision row;
  row.sequence = file.sequence;
  row.damage = error.message;
  rows.push_back(std::move(row));
  return rows.back();
}

/// `rows` are in rising order.
Status find_sizes(Store& store, std::vector<Revision>& rows, const std::stop_token& stop) {
  Reach reach(store, 0, stop);
  std::set<catalog::Digest> seen;
  for (Revision& row : rows) {
    if (!row.document) continue;
    const Status added = reach.add(row.document->head);
    if (!added.ok()) {
      if (added.error().code == Code::cancelled) return added;
      row.damage = added.error().message;
      continue;
    }
    std::uint64_t bytes = 0;
    for (const auto& [pack, use] : reach.packs()) {
      if (!seen.insert(pack).second) continue;
      LAZYVOL_TRY_ASSIGN(const auto object, store.stat(catalog::pack_path(pack)));
      bytes += object ? object->size : 0;
    }
    row.new_bytes = bytes;
  }
  return {};
}

}  // namespace

Result<std::vector<Revision>> list_revisions(Store& store, bool sizes, std::stop_token stop) {
  LAZYVOL_TRY_ASSIGN(const StoredHead head, need_head(store, std::string(kHeadPath)));
  LAZYVOL_TRY_ASSIGN(const KeptHeads kept, list_kept_heads(store, head.document.head.sequence));
  std::vector<Revision> rows;
  row_of(rows, head.document).present = true;
  for (const HeadFile& file : kept.revisions) {
    const auto revision = need_head(store, file.path);
    Revision& row = revision.ok() ? row_of(rows, revision->document)
                                  : damaged_row(rows, file, revision.error());
    row.kept = true;
  }
  for (const HeadFile& file : kept.tags) {
    const auto tag = need_head(store, file.path);
    Revision& row = tag.ok() ? row_of(rows, tag->document) : damaged_row(rows, file, tag.error());
    row.tags.push_back(file.tag);
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Revision& a, const Revision& b) { return a.sequence < b.sequence; });
  if (sizes) LAZYVOL_TRY(find_sizes(store, rows, stop));
  std::reverse(rows.begin(), rows.end());
  return rows;
}

}  // namespace lazyvol::publish
