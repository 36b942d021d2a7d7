#include "git/tree_rows.h"

#include "git/object_id.h"

namespace lazyvol::git {
namespace {

// Longer than any path that can be shown, so that those are counted and not taken for damage.
constexpr std::size_t kMaxRow = 1 << 20;

Error damaged() {
  return {Code::corrupt, "git listed a tree in a form that is not known"};
}

}  // namespace

Result<TreeRow> parse_tree_row(std::string_view row) {
  const auto tab = row.find('\t');
  if (tab == std::string_view::npos || tab + 1 == row.size()) return damaged();
  TreeRow out;
  out.path = row.substr(tab + 1);
  const std::string_view front = row.substr(0, tab);
  const auto first = front.find(' ');
  const auto second = first == std::string_view::npos ? first : front.find(' ', first + 1);
  if (second == std::string_view::npos) return damaged();
  const std::string_view mode = front.substr(0, first);
  const std::string_view kind = front.substr(first + 1, second - first - 1);
  out.id = front.substr(second + 1);
  if (!is_object_id(out.id) || out.path.front() == '/') return damaged();
  if (mode == "040000" && kind == "tree") {
    out.type = RowType::directory;
  } else if (mode == "160000" && kind == "commit") {
    out.type = RowType::submodule;
  } else if (mode == "120000" && kind == "blob") {
    out.type = RowType::symlink;
  } else if (mode.size() == 6 && mode.starts_with("100") && kind == "blob") {
    // What git itself goes by: the owner's bit.
    const bool program = mode[3] >= '0' && mode[3] <= '7' && ((mode[3] - '0') & 1) != 0;
    out.type = program ? RowType::program : RowType::file;
  } else {
    return damaged();
  }
  return out;
}

Status TreeRowReader::add(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\0');
    if (end == std::string_view::npos) {
      begun_.append(bytes);
      return begun_.size() > kMaxRow ? Status(damaged()) : Status();
    }
    std::string_view row = bytes.substr(0, end);
    if (!begun_.empty()) row = begun_.append(row);
    LAZYVOL_TRY_ASSIGN(const TreeRow parsed, parse_tree_row(row));
    LAZYVOL_TRY(visit_(parsed));
    begun_.clear();
    bytes.remove_prefix(end + 1);
  }
  return {};
}

Status TreeRowReader::finish() const {
  return begun_.empty() ? Status() : Status(damaged());
}

}  // namespace lazyvol::git
