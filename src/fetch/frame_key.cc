#include "fetch/frame_key.h"

#include <algorithm>
#include <string_view>

#include "base/bytes.h"

namespace lazyvol::fetch {
namespace {

std::string_view label(FrameKind kind) {
  switch (kind) {
    case FrameKind::page:
      return "lazyvol page frame";
    case FrameKind::map:
      return "lazyvol map frame";
    case FrameKind::data:
      break;
  }
  return "lazyvol data frame";
}

}  // namespace

FrameKind kind_of(FrameUse use) {
  switch (use) {
    case FrameUse::page:
      return FrameKind::page;
    case FrameUse::map:
      return FrameKind::map;
    case FrameUse::bundle:
    case FrameUse::part:
      break;
  }
  return FrameKind::data;
}

model::ContentKey cache_key(const FrameId& id) {
  base::ByteWriter text;
  text.raw(label(id.kind));
  text.raw(id.hash.view());
  text.little(id.raw, 4);
  const catalog::Digest digest = catalog::sha256(text.view());
  model::ContentKey key;
  std::copy_n(digest.bytes.begin(), key.bytes.size(), key.bytes.begin());
  return key;
}

}  // namespace lazyvol::fetch
