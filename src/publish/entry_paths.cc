#include "publish/entry_paths.h"

#include <memory>
#include <utility>
#include <vector>

namespace lazyvol::publish {
namespace {

constexpr std::size_t kMaxKnown = 20'000;
// A path has at most kMaxPath bytes where it is used; deeper trees are no lazyvol tree.
constexpr std::size_t kMaxDepth = 2048;

}  // namespace

EntryPaths::EntryPaths(catalog::PageReader& reader, const catalog::Roots& roots)
    : reader_(reader),
      names_(std::make_shared<const std::string>(roots.names)),
      ids_(std::make_shared<const std::string>(roots.ids)) {}

Result<std::string> EntryPaths::directory(NodeId id) {
  std::vector<std::pair<NodeId, std::string>> way;  // upwards from `id`
  std::string above;
  for (NodeId at = id; at != kRootNode;) {
    if (const auto found = known_.find(at); found != known_.end()) {
      above = found->second;
      break;
    }
    if (way.size() == kMaxDepth) return Error{Code::corrupt, "a directory that lies in itself"};
    LAZYVOL_TRY_ASSIGN(const auto entry, catalog::find_entry(reader_, names_, ids_, at));
    if (!entry || entry->type != NodeType::directory) {
      return Error{Code::corrupt, "a directory that is not there: id " + std::to_string(at)};
    }
    way.emplace_back(at, entry->name);
    at = entry->directory;
  }
  if (known_.size() + way.size() > kMaxKnown) known_.clear();
  for (; !way.empty(); way.pop_back()) {
    above = above.empty() ? way.back().second : above + "/" + way.back().second;
    known_[way.back().first] = above;
  }
  return above;
}

Result<std::string> EntryPaths::path(NodeId directory_id, std::string_view name) {
  LAZYVOL_TRY_ASSIGN(std::string above, directory(directory_id));
  if (!above.empty()) above += '/';
  above += name;
  return above;
}

std::string EntryPaths::shown(NodeId directory_id, std::string_view name) {
  auto found = path(directory_id, name);
  if (found.ok()) return *std::move(found);
  return "(directory " + std::to_string(directory_id) + ")/" + std::string(name);
}

}  // namespace lazyvol::publish
