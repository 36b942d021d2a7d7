#include "publish/reach.h"

#include <algorithm>
#include <utility>

#include "publish/content_frames.h"

namespace lazyvol::publish {

Reach::Reach(Store& store, unsigned threads, std::stop_token stop)
    : store_(store), walk_(store, *this, {threads, false}, std::move(stop)) {}

Status Reach::add(const catalog::Head& head) {
  for (const catalog::HotPack& hot : head.hot_packs) {
    (*parts_[hot.pack.bytes[0] % parts_.size()].lock())[hot.pack].whole = hot.bytes;
  }
  LAZYVOL_TRY_ASSIGN(const auto names, walk_.walk(catalog::Tree::names, head.roots.names));
  LAZYVOL_TRY_ASSIGN(const auto ids, walk_.walk(catalog::Tree::ids, head.roots.ids));
  (void)names, (void)ids;
  return {};
}

std::map<catalog::Digest, PackUse> Reach::packs() {
  std::map<catalog::Digest, PackUse> result;
  for (auto& part : parts_) {
    const auto held = part.lock();
    for (auto& [pack, frames] : *held) {
      compact(frames);
      PackUse& use = result[pack];
      use.frames = frames.list.size();
      for (const std::uint64_t frame : frames.list) use.bytes += frame & UINT32_MAX;
      use.bytes = std::max(use.bytes, frames.whole);
    }
  }
  return result;
}

Status Reach::page(const catalog::FrameRef& frame) {
  use(frame);
  return {};
}

Status Reach::names(const std::vector<catalog::Entry>& entries) {
  const ContentVisit visit{
      .data =
          [&](const catalog::FrameRef& frame) {
            use(frame);
            return Status();
          },
      .map = [&](const catalog::FrameRef& frame) -> Result<bool> {
        use(frame);
        return maps_.lock()->insert(frame.hash).second;
      },
      .damaged_map = [](const catalog::FrameRef&, const Error& error) { return Status(error); }};
  for (const catalog::Entry& entry : entries) LAZYVOL_TRY(visit_content(store_, entry, visit));
  return {};
}

void Reach::use(const catalog::FrameRef& frame) {
  const auto part = parts_[frame.pack.bytes[0] % parts_.size()].lock();
  Frames& frames = (*part)[frame.pack];
  const std::uint64_t one = std::uint64_t{frame.offset} << 32 | frame.stored;
  if (!frames.list.empty() && frames.list.back() == one) return;
  frames.list.push_back(one);
  if (frames.list.size() >= 2 * frames.tidy + 1024) compact(frames);
}

void Reach::compact(Frames& frames) {
  std::sort(frames.list.begin(), frames.list.end());
  frames.list.erase(std::unique(frames.list.begin(), frames.list.end()), frames.list.end());
  frames.tidy = frames.list.size();
}

}  // namespace lazyvol::publish
