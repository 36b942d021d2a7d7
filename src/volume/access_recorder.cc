#include "volume/access_recorder.h"

#include <algorithm>
#include <iterator>

namespace lazyvol::volume {
namespace {

using Ranges = std::map<std::uint64_t, std::uint64_t>;

void insert(Ranges& ranges, std::uint64_t begin, std::uint64_t end) {
  constexpr std::uint64_t kGap = AccessRecorder::kJoinWithin;
  auto at = ranges.upper_bound(begin);
  if (at != ranges.begin() && std::prev(at)->second + kGap >= begin) --at;
  while (at != ranges.end() && at->first <= end + kGap) {
    begin = std::min(begin, at->first);
    end = std::max(end, at->second);
    at = ranges.erase(at);
  }
  ranges.emplace_hint(at, begin, end);
}

void join_nearest(Ranges& ranges) {
  auto best = ranges.begin();
  std::uint64_t least = UINT64_MAX;
  for (auto at = ranges.begin(), next = std::next(at); next != ranges.end(); ++at, ++next) {
    if (next->first - at->second >= least) continue;
    least = next->first - at->second;
    best = at;
  }
  const auto next = std::next(best);
  best->second = next->second;
  ranges.erase(next);
}

}  // namespace

void AccessRecorder::start() {
  nodes_.lock()->clear();
  active_ = true;
}

std::vector<AccessRecorder::Access> AccessRecorder::stop() {
  active_ = false;
  std::unordered_map<NodeId, Node> nodes;
  nodes.swap(*nodes_.lock());
  std::vector<Access> out(nodes.size());
  for (auto& [id, node] : nodes) {
    Access& access = out[node.order];
    access.node = id;
    access.directory = node.directory;
    for (const auto& [begin, end] : node.ranges) access.ranges.push_back({begin, end});
  }
  return out;
}

void AccessRecorder::add(NodeId node, bool directory, std::uint64_t offset, std::uint64_t length) {
  if (!directory && length == 0) return;
  auto nodes = nodes_.lock();
  if (!active_) return;
  auto at = nodes->find(node);
  if (at == nodes->end()) {
    if (nodes->size() == kMaxNodes) return;
    at = nodes->emplace(node, Node{nodes->size(), directory, {}}).first;
  }
  if (directory) return;
  insert(at->second.ranges, offset, offset + length);
  if (at->second.ranges.size() > kMaxRangesPerFile) join_nearest(at->second.ranges);
}

}  // namespace lazyvol::volume
