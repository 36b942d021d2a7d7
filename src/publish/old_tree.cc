#include "publish/old_tree.h"

#include <algorithm>

#include "publish/learner.h"
#include "publish/map_reader.h"

namespace lazyvol::publish {

namespace {

// What cannot be read because it is not there or not what it should be, as far as that can be told
// from other failures.
bool means_lost(const Error& error) {
  return error.code == Code::not_found || error.code == Code::corrupt;
}

}  // namespace

Status for_each_pack(const catalog::Content& content, catalog::PageReader& reader, State& state,
                     const std::function<void(const catalog::Digest&)>& visit) {
  if (const auto* list = std::get_if<catalog::PieceContent>(&content)) {
    for (const catalog::Piece& piece : list->pieces) visit(piece.frame.pack);
  }
  const auto* map = std::get_if<catalog::MapContent>(&content);
  if (map == nullptr) return {};
  if (const auto known = state.packs_of_map(map->map.hash)) {
    visit(map->map.pack);  // equal maps may lie in several packs
    for (const catalog::Digest& pack : *known) visit(pack);
    return {};
  }
  PackSet found;
  LAZYVOL_TRY(for_each_extent(
      reader, map->map,
      [&](const catalog::Extent& extent) -> Status {
        if (extent.kind == catalog::Extent::Kind::piece) found.insert(extent.frame.pack);
        return {};
      },
      [&](const catalog::FrameRef& frame) { found.insert(frame.pack); }));
  std::vector<catalog::Digest> list(found.begin(), found.end());
  std::sort(list.begin(), list.end());
  for (const catalog::Digest& pack : list) visit(pack);
  return state.put_packs_of_map(map->map.hash, list);
}

Result<OldTree> OldTree::load(catalog::PageReader& reader, catalog::PageReader& frames,
                              const catalog::Page& root, const PackSet& present, State& state,
                              FileRows& rows, Progress& progress) {
  OldTree tree;
  Learner learner(frames, state, progress);
  std::vector<FileRow> learned;
  std::vector<bool> seen(rows.size());
  const auto visit = [&](const catalog::Entry& entry) -> Status {
    progress.tick();
    LAZYVOL_TRY(progress.check());
    tree.add(entry);
    bool is_lost = false;
    const Status packs = for_each_pack(entry.content, reader, state, [&](const auto& pack) {
      tree.packs_.insert(pack);
      is_lost |= !present.contains(pack);
    });
    if (!packs.ok() && !means_lost(packs.error())) return packs;
    is_lost |= !packs.ok();
    if (entry.alias) return {};
    if (const auto row = rows.find(entry.id)) {
      seen[*row] = true;
      if (is_lost) rows.forget(*row);
    } else if (is_lost) {
      learned.push_back({.id = entry.id, .type = entry.type, .inode = {}});
    } else {
      LAZYVOL_TRY_ASSIGN(const FileRow fresh, learner.learn(entry));
      learned.push_back(fresh);
    }
    return {};
  };
  LAZYVOL_TRY(catalog::for_each_entry(reader, root, visit));
  LAZYVOL_TRY(learner.finish());
  const std::vector<NodeId> gone = rows.retain(seen);
  if (!gone.empty()) LAZYVOL_TRY(state.erase_rows(gone));
  rows.add(std::move(learned));
  return tree;
}

void OldTree::add(const catalog::Entry& entry) {
  if (begins_.empty() || begins_.back().first != entry.directory) {
    begins_.emplace_back(entry.directory, names_.size());
  }
  Name name;
  name.id = entry.id;
  name.at = text_.size();
  name.length = static_cast<std::uint8_t>(entry.name.size());
  name.type = entry.type;
  names_.push_back(name);
  text_ += entry.name;
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
