#include "catalog/descent.h"

#include "catalog/interior_page.h"

namespace lazyvol::catalog {

Descent::Descent(Tree tree, std::string key, unsigned stop_level, PastEnd past_end)
    : tree_(tree), key_(std::move(key)), stop_level_(stop_level), past_end_(past_end) {}

Result<Descent::Step> Descent::enter(std::string_view page) {
  base::ByteReader in(page);
  const PageHeader header = read_page_header(in);
  if (in.failed() || header.tree != tree_ || header.level < stop_level_ ||
      (level_ && header.level + 1 != *level_)) {
    return damaged_page("out of place");
  }
  level_ = header.level;
  if (header.level == stop_level_) return Step{};
  LAZYVOL_TRY_ASSIGN(const InteriorPage interior, InteriorPage::open(page));
  LAZYVOL_TRY_ASSIGN(std::size_t index, interior.find(key_));
  if (index == interior.rows()) {
    if (past_end_ == PastEnd::absent) return Step{.next = std::nullopt, .absent = true};
    --index;
  }
  is_last_ = is_last_ && index + 1 == interior.rows();
  LAZYVOL_TRY_ASSIGN(frame_, interior.frame(index));
  return Step{.next = frame_, .absent = false};
}

}  // namespace lazyvol::catalog
