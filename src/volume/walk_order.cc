#include "volume/walk_order.h"

#include <algorithm>

namespace lazyvol::volume {

bool comes_soon_after(Tree& tree, NodeId last, NodeId parent, const std::string& name) {
  constexpr int kLevels = 16;
  constexpr std::size_t kEntries = 4096;
  if (name.empty()) return false;  // the root follows nothing
  if (last == parent) return true;
  for (int level = 0; level < kLevels && last != kRootNode; ++level) {
    const auto place = tree.place(last);
    if (!place.ok() || !*place) return false;
    if ((*place)->parent != parent) {
      last = (*place)->parent;
      continue;
    }
    const auto from = tree.position(parent, (*place)->name);
    const auto to = tree.position(parent, name);
    if (!from || !to || *to <= *from || *to - *from > kEntries) return false;
    const auto between = tree.slice(parent, *from + 1, *to);
    const auto passed = std::count_if(between.begin(), between.end(), [](const auto& entry) {
      return entry.remote.type == NodeType::directory;
    });
    return static_cast<std::size_t>(passed) < kWalkReach;
  }
  return false;
}

}  // namespace lazyvol::volume
