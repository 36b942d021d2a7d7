#include "fetch/frame_disk.h"

#include <span>
#include <utility>

namespace lazyvol::fetch {

std::shared_ptr<cache::CachedContent> FrameDisk::content(const FrameId& id) const {
  return cache_->content(cache_key(id), id.raw);
}

bool FrameDisk::has(const FrameId& id) const {
  const auto kept = content(id);
  for (std::uint64_t block = 0; block < kept->layout().count(); ++block) {
    if (!kept->has(block)) return false;
  }
  return true;
}

FrameBytes FrameDisk::read(const FrameId& id) const {
  const auto kept = content(id);
  const model::BlockLayout& layout = kept->layout();
  // The last block first: a frame that is half gone is not worth the reading of its beginning.
  if (layout.count() > 1 && !kept->has(layout.count() - 1)) return nullptr;
  auto bytes = std::make_shared<std::string>(id.raw, '\0');
  for (std::uint64_t block = 0; block < layout.count(); ++block) {
    const auto part = std::as_writable_bytes(std::span(*bytes))
                          .subspan(layout.offset_of(block), layout.length_of(block));
    if (!kept->read(block, 0, part).ok()) return nullptr;
  }
  return bytes;
}

Status FrameDisk::store(const FrameId& id, const std::string& bytes) const {
  const auto kept = content(id);
  const model::BlockLayout& layout = kept->layout();
  for (std::uint64_t block = 0; block < layout.count(); ++block) {
    LAZYVOL_TRY(kept->store(
        block,
        std::as_bytes(std::span(bytes)).subspan(layout.offset_of(block), layout.length_of(block))));
  }
  return {};
}

std::uint64_t FrameDisk::evict(const FrameId& id) const {
  return content(id)->evict();
}

}  // namespace lazyvol::fetch
