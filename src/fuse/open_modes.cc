#include "fuse/open_modes.h"

#include <utility>

namespace lazyvol::fuse {

int OpenModes::begin(NodeId node, File& file) {
  const auto join = [&](Mode& mode) {
    mode.opens++;
    if (mode.backing != 0) passed_through_.fetch_add(1, std::memory_order_relaxed);
    return mode.backing;
  };
  {
    auto modes = modes_.lock();
    if (const auto known = modes->find(node); known != modes->end()) return join(known->second);
  }
  Mode mode;
  if (passthrough_.on()) mode.local = file.local();
  if (mode.local != nullptr) {
    mode.backing = passthrough_.add(mode.local->fd());
    mode.local->close_fd();  // the kernel has it
    if (mode.backing == 0) mode.local.reset();
  }
  auto modes = modes_.lock();
  auto [at, first] = modes->try_emplace(node);
  if (first) {
    at->second = std::move(mode);
    if (at->second.backing != 0) passing_now_.fetch_add(1, std::memory_order_relaxed);
    return join(at->second);
  }
  const int backing = join(at->second);
  modes.unlock();
  let_go(mode);  // another open came first
  return backing;
}

bool OpenModes::end(NodeId node) {
  Mode last;
  {
    auto modes = modes_.lock();
    const auto at = modes->find(node);
    if (at == modes->end() || --at->second.opens > 0) return false;
    last = std::move(at->second);
    modes->erase(at);
    if (last.backing != 0) passing_now_.fetch_sub(1, std::memory_order_relaxed);
  }
  let_go(last);
  return last.backing == 0;
}

void OpenModes::clear() {
  std::unordered_map<NodeId, Mode> all;
  all.swap(*modes_.lock());
  for (const auto& [node, mode] : all) let_go(mode);
  passing_now_ = 0;
}

void OpenModes::let_go(const Mode& mode) {
  if (mode.backing != 0) passthrough_.remove(mode.backing);
}

}  // namespace lazyvol::fuse
