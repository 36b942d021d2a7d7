#include "catalog/catalog_build.h"

#include <algorithm>
#include <map>

namespace lazyvol::catalog {
namespace {

// The runs of ids of leaves that come and go, as edits of the tree of ids.
class RunsOfLeaves {
 public:
  void added(std::span<const Entry> leaf) {
    for (IdRun& run : id_runs(leaf)) added_.push_back({run_key(run), std::move(run)});
  }
  void removed(std::span<const Entry> leaf) {
    for (const IdRun& run : id_runs(leaf)) removed_.push_back({run_key(run), std::nullopt});
  }
  Result<std::vector<Edit<IdRun>>> edits() && {
    const auto by_key = [](const auto& a, const auto& b) { return a.key < b.key; };
    std::sort(added_.begin(), added_.end(), by_key);
    std::sort(removed_.begin(), removed_.end(), by_key);
    for (std::size_t i = 1; i < added_.size(); ++i) {
      if (added_[i].row->first <= added_[i - 1].row->last) {
        return Error{Code::invalid_argument,
                     "two entries have the id " + std::to_string(added_[i].row->first)};
      }
    }
    // Where a run went and one came under the same key, the one that came stays.
    std::vector<Edit<IdRun>> result;
    std::set_union(std::make_move_iterator(added_.begin()), std::make_move_iterator(added_.end()),
                   std::make_move_iterator(removed_.begin()),
                   std::make_move_iterator(removed_.end()), std::back_inserter(result), by_key);
    return result;
  }

 private:
  std::vector<Edit<IdRun>> added_, removed_;
};

Error out_of_order() {
  return {Code::invalid_argument, "entries that are not in order"};
}

const auto ignore = [](const auto&) {};

}  // namespace

Roots empty_roots() {
  return {encode_leaf_page({}), encode_ids_page({})};
}

struct CatalogBuilder::State {
  State(PageWriter& to, const Chunking& how)
      : writer(to),
        chunking(how),
        output(to, true),
        leaves(NamesCodec(), Splitter(Tree::names, 0, how), output) {}

  PageWriter& writer;
  Chunking chunking;
  LevelOutput output;
  LevelWriter<NamesCodec> leaves;
  RunsOfLeaves runs;
  std::string last_key;
};

CatalogBuilder::CatalogBuilder(PageWriter& writer, const Chunking& chunking)
    : state_(std::make_unique<State>(writer, chunking)) {}

CatalogBuilder::~CatalogBuilder() = default;

Status CatalogBuilder::add(Entry entry) {
  LAZYVOL_TRY(check_entry(entry));
  std::string key = name_key(entry.directory, entry.name);
  if (key <= state_->last_key) return out_of_order();
  state_->last_key = std::move(key);
  return state_->leaves.add(std::move(entry),
                            [this](const std::vector<Entry>& leaf) { state_->runs.added(leaf); });
}

Result<Roots> CatalogBuilder::finish() {
  State& state = *state_;
  Roots roots = empty_roots();
  LAZYVOL_TRY(state.leaves.finish([&](const std::vector<Entry>& leaf) { state.runs.added(leaf); }));
  LAZYVOL_TRY_ASSIGN(LevelOutput::Level leaves, state.output.close());
  LAZYVOL_TRY_ASSIGN(auto runs, std::move(state.runs).edits());
  if (!leaves.root && leaves.children.empty()) return roots;
  LAZYVOL_TRY_ASSIGN(
      roots.names, build_upwards(state.writer, Tree::names, 0, state.chunking, std::move(leaves)));
  LevelOutput output(state.writer, true);
  LevelWriter<IdsCodec> pages(IdsCodec(), Splitter(Tree::ids, 0, state.chunking), output);
  for (auto& run : runs) LAZYVOL_TRY(pages.add(*std::move(run.row), ignore));
  LAZYVOL_TRY(pages.finish(ignore));
  LAZYVOL_TRY_ASSIGN(LevelOutput::Level ids, output.close());
  if (!ids.root && ids.children.empty()) return roots;
  LAZYVOL_TRY_ASSIGN(roots.ids,
                     build_upwards(state.writer, Tree::ids, 0, state.chunking, std::move(ids)));
  return roots;
}

EntryEdit put_entry(Entry entry) {
  std::string key = name_key(entry.directory, entry.name);
  return {std::move(key), std::move(entry)};
}

EntryEdit erase_entry(NodeId directory, std::string_view name) {
  return {name_key(directory, name), std::nullopt};
}

Result<Roots> update_catalog(PageReader& reader, PageWriter& writer, const Roots& roots,
                             const Chunking& chunking, std::vector<EntryEdit> edits) {
  for (std::size_t i = 0; i < edits.size(); ++i) {
    if (i > 0 && edits[i].key <= edits[i - 1].key) return out_of_order();
    const auto& entry = edits[i].row;
    if (!entry) continue;
    LAZYVOL_TRY(check_entry(*entry));
    if (edits[i].key != name_key(entry->directory, entry->name)) return out_of_order();
  }
  Roots result;
  RunsOfLeaves runs;
  LAZYVOL_TRY_ASSIGN(result.names, update_tree<NamesCodec>(reader, writer, roots.names, chunking,
                                                           std::span<EntryEdit>(edits), runs));
  LAZYVOL_TRY_ASSIGN(auto run_edits, std::move(runs).edits());
  tree_update::NoObserver none;
  LAZYVOL_TRY_ASSIGN(result.ids, update_tree<IdsCodec>(reader, writer, roots.ids, chunking,
                                                       std::span<Edit<IdRun>>(run_edits), none));
  return result;
}

}  // namespace lazyvol::catalog
