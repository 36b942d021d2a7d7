#include "catalog/tree_update.h"

namespace lazyvol::catalog::tree_update {

Result<LevelPage> find_page(PageReader& reader, const std::shared_ptr<const std::string>& root,
                            Tree tree, unsigned level, std::string key) {
  Descent descent(tree, std::move(key), level, Descent::PastEnd::last_page);
  std::shared_ptr<const std::string> page = root;
  for (;;) {
    LAZYVOL_TRY_ASSIGN(const Descent::Step step, descent.enter(*page));
    if (!step.next) return LevelPage{page, descent.frame(), descent.is_last()};
    LAZYVOL_TRY_ASSIGN(page, reader.read(*step.next));
  }
}

std::vector<Edit<Child>> edits_above(const LevelChange& change) {
  std::map<std::string, std::optional<FrameRef>> edits;
  for (const auto& [key, frame] : change.removed) edits.emplace(key, std::nullopt);
  for (const Child& child : change.added.children) {
    const auto old = change.removed.find(child.last_key);
    if (old != change.removed.end() && old->second == child.frame) {
      edits.erase(child.last_key);
    } else {
      edits[child.last_key] = child.frame;
    }
  }
  std::vector<Edit<Child>> result;
  for (const auto& [key, frame] : edits) {
    result.push_back({key, frame ? std::optional(Child{key, *frame}) : std::nullopt});
  }
  return result;
}

Result<std::string> collapse(PageReader& reader, std::string root) {
  for (;;) {
    base::ByteReader in(root);
    const PageHeader header = read_page_header(in);
    if (in.failed()) return damaged_page("root");
    if (header.level == 0 || header.rows > 1) return root;
    LAZYVOL_TRY_ASSIGN(const InteriorPage interior, InteriorPage::open(root));
    LAZYVOL_TRY_ASSIGN(const FrameRef only, interior.frame(0));
    LAZYVOL_TRY_ASSIGN(const auto child, reader.read(only));
    base::ByteReader below(*child);
    if (read_page_header(below).level + 1 != header.level || below.failed()) {
      return damaged_page("out of place");
    }
    root = *child;
  }
}

}  // namespace lazyvol::catalog::tree_update
