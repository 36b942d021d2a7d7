#include "publish/page_walk.h"

#include "catalog/interior_page.h"

namespace lazyvol::publish {
namespace {

Status walk(catalog::PageReader& reader, const std::string& page, unsigned level, bool read_leaves,
            const std::function<void(const catalog::FrameRef&)>& visit) {
  LAZYVOL_TRY_ASSIGN(const auto interior, catalog::InteriorPage::open(page));
  if (interior.level() != level) return catalog::damaged_page("out of place");
  for (std::size_t row = 0; row < interior.rows(); ++row) {
    LAZYVOL_TRY_ASSIGN(const catalog::FrameRef frame, interior.frame(row));
    visit(frame);
    if (level == 1 && !read_leaves) continue;
    LAZYVOL_TRY_ASSIGN(const auto child, reader.read(frame));
    if (level > 1) LAZYVOL_TRY(walk(reader, *child, level - 1, read_leaves, visit));
  }
  return {};
}

}  // namespace

Status for_each_page(catalog::PageReader& reader, const std::string& root, bool read_leaves,
                     const std::function<void(const catalog::FrameRef&)>& visit) {
  base::ByteReader in(root);
  const unsigned level = catalog::read_page_header(in).level;
  if (in.failed()) return catalog::damaged_page("root");
  return level == 0 ? Status() : walk(reader, root, level, read_leaves, visit);
}

}  // namespace lazyvol::publish
