#include "publish/old_tree.h"

#include <algorithm>

#include "publish/learner.h"
#include "publish/map_reader.h"

namespace lazyvol::publish {

Status add_packs(const catalog::Content& content, catalog::PageReader& reader, State& state,
                 PackSet& packs) {
  if (const auto* list = std::get_if<catalog::PieceContent>(&content)) {
    for (const catalog::Piece& piece : list->pieces) packs.insert(piece.frame.pack);
  }
  const auto* map = std::get_if<catalog::MapContent>(&content);
  if (map == nullptr) return {};
  if (const auto known = state.packs_of_map(map->map.hash)) {
    packs.insert(map->map.pack);  // equal maps may lie in several packs
    packs.insert(known->begin(), known->end());
    return {};
  }
  PackSet found;
  const auto visit = [&](const catalog::Extent& extent) -> Status {
    if (extent.kind == catalog::Extent::Kind::piece) found.insert(extent.frame.pack);
    return {};
  };
  const auto map_read = [&](const catalog::FrameRef& frame) { found.insert(frame.pack); };
  LAZYVOL_TRY(for_each_extent(reader, map->map, visit, map_read));
  packs.insert(found.begin(), found.end());
  std::vector<catalog::Digest> list(found.begin(), found.end());
  std::sort(list.begin(), list.end());
  return state.put_packs_of_map(map->map.hash, list);
}

Result<OldTree> OldTree::load(catalog::PageReader& reader, const catalog::Page& root, State& state,
                              FileRows& rows, Progress& progress) {
  OldTree tree;
  Learner learner(reader, state, progress);
  std::vector<FileRow> learned;
  std::vector<bool> seen(rows.size());
  const auto visit = [&](const catalog::Entry& entry) -> Status {
    progress.tick();
    LAZYVOL_TRY(progress.check());
    if (tree.begins_.empty() || tree.begins_.back().first != entry.directory) {
      tree.begins_.emplace_back(entry.directory, tree.names_.size());
    }
    Name name;
    name.id = entry.id;
    name.at = tree.text_.size();
    name.length = static_cast<std::uint8_t>(entry.name.size());
    name.type = entry.type;
    tree.names_.push_back(name);
    tree.text_ += entry.name;
    const Status packs = add_packs(entry.content, reader, state, tree.packs_);
    // A map that is lost is learned to be so below.
    if (!packs.ok() && packs.error().code != Code::not_found &&
        packs.error().code != Code::corrupt) {
      return packs;
    }
    if (entry.alias) return {};
    if (const auto row = rows.find(entry.id)) {
      seen[*row] = true;
      return {};
    }
    LAZYVOL_TRY_ASSIGN(FileRow row, learner.learn(entry));
    learned.push_back(row);
    return {};
  };
  LAZYVOL_TRY(catalog::for_each_entry(reader, root, visit));
  LAZYVOL_TRY(learner.finish());
  const std::vector<NodeId> gone = rows.retain(seen);
  if (!gone.empty()) LAZYVOL_TRY(state.erase_rows(gone));
  rows.add(std::move(learned));
  return tree;
}

std::span<const OldTree::Name> OldTree::in(NodeId directory) const {
  const auto found =
      std::lower_bound(begins_.begin(), begins_.end(), directory,
                       [](const auto& begin, NodeId sought) { return begin.first < sought; });
  if (found == begins_.end() || found->first != directory) return {};
  const std::size_t end = found + 1 == begins_.end() ? names_.size() : (found + 1)->second;
  return std::span(names_).subspan(found->second, end - found->second);
}

}  // namespace lazyvol::publish
