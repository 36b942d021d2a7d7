#include "catalog/validate_page.h"

#include "catalog/file_map.h"
#include "catalog/ids_page.h"
#include "catalog/interior_page.h"
#include "catalog/key.h"
#include "catalog/leaf_page.h"
#include "catalog/page.h"

namespace lazyvol::catalog {
namespace {

bool is_id_key(std::string_view key) {
  if (key.size() != 8) return false;
  NodeId id = 0;
  for (const char byte : key) id = id << 8 | static_cast<std::uint8_t>(byte);
  return id > kRootNode && id <= INT64_MAX;
}

Status validate_interior(std::string_view bytes) {
  LAZYVOL_TRY_ASSIGN(const InteriorPage page, InteriorPage::open(bytes));
  LAZYVOL_TRY_ASSIGN(const std::vector<Child> children, page.children());
  for (const Child& child : children) {
    const bool possible =
        page.tree() == Tree::ids ? is_id_key(child.last_key) : parse_name_key(child.last_key).ok();
    if (!possible) return damaged_page("key");
    // No page of its level is longer: the child would be fetched only to be refused.
    if (child.frame.raw > kMaxPageBytes) return damaged_page("a child that is too long");
  }
  return {};
}

}  // namespace

Status validate_page(std::string_view page) {
  base::ByteReader in(page);
  const PageHeader header = read_page_header(in);
  if (in.failed()) return damaged_page("header");
  if (header.level > 0) return validate_interior(page);
  if (header.tree == Tree::ids) {
    LAZYVOL_TRY_ASSIGN(const IdsPage ids, IdsPage::open(page));
    LAZYVOL_TRY(ids.runs());
    return {};
  }
  LAZYVOL_TRY_ASSIGN(const LeafPage leaf, LeafPage::open(page));
  return leaf.validate();
}

Status validate_file_map(std::string_view map) {
  LAZYVOL_TRY_ASSIGN(const FileMap view, FileMap::open(map));
  return view.validate();
}

}  // namespace lazyvol::catalog
