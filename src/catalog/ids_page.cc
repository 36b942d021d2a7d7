#include "catalog/ids_page.h"

#include <algorithm>

namespace lazyvol::catalog {

std::vector<IdRun> id_runs(std::span<const Entry> leaf) {
  std::vector<NodeId> ids;
  for (const Entry& entry : leaf) {
    if (!entry.alias) ids.push_back(entry.id);
  }
  std::sort(ids.begin(), ids.end());
  std::vector<IdRun> runs;
  for (const NodeId id : ids) {
    if (!runs.empty() && runs.back().last + 1 == id) {
      runs.back().last = id;
    } else {
      runs.push_back({id, id, {leaf.back().directory, leaf.back().name}});
    }
  }
  return runs;
}

std::string run_key(const IdRun& run) {
  return id_key(run.last);
}

Result<IdsPage> IdsPage::open(std::string_view page) {
  base::ByteReader in(page);
  const PageHeader header = read_page_header(in);
  IdsPage result;
  result.last_ = Column(in, header.rows);
  result.length_ = Column(in, header.rows);
  result.directory_ = Column(in, header.rows);
  result.names_ = Texts(in, header.rows);
  if (in.failed() || !in.at_end() || header.tree != Tree::ids || header.level != 0) {
    return damaged_page("ids");
  }
  return result;
}

Result<IdRun> IdsPage::run(std::size_t index) const {
  if (index >= rows()) return damaged_page("run");
  const std::uint64_t last = last_.number(index), length = length_.number(index);
  const auto name = names_.at(index);
  if (!name || length == 0 || last > INT64_MAX || length > last - kRootNode) {
    return damaged_page("run");
  }
  IdRun run{last - length + 1, last, {directory_.number(index), std::string(*name)}};
  if (run.leaf.directory == 0 || !valid_name(run.leaf.name)) return damaged_page("run");
  return run;
}

Result<std::optional<IdRun>> IdsPage::find(NodeId id) const {
  std::size_t low = 0, high = rows();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (last_.number(middle) < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == rows()) return std::optional<IdRun>();
  LAZYVOL_TRY_ASSIGN(IdRun found, run(low));
  if (id < found.first || id > found.last) return std::optional<IdRun>();
  return std::optional(std::move(found));
}

Result<std::vector<IdRun>> IdsPage::runs() const {
  std::vector<IdRun> result;
  for (std::size_t i = 0; i < rows(); ++i) {
    LAZYVOL_TRY_ASSIGN(IdRun next, run(i));
    if (i > 0 && next.first <= result.back().last) return damaged_page("order");
    result.push_back(std::move(next));
  }
  return result;
}

std::string encode_ids_page(std::span<const IdRun> runs) {
  base::ByteWriter out;
  write_page_header(out, {Tree::ids, 0, runs.size()});
  std::vector<std::int64_t> last, length, directory;
  TextsWriter names;
  for (const IdRun& run : runs) {
    last.push_back(static_cast<std::int64_t>(run.last));
    length.push_back(static_cast<std::int64_t>(run.last - run.first + 1));
    directory.push_back(static_cast<std::int64_t>(run.leaf.directory));
    names.add(run.leaf.name);
  }
  for (const auto* column : {&last, &length, &directory}) write_column(out, *column);
  names.write(out);
  return out.take();
}

}  // namespace lazyvol::catalog
