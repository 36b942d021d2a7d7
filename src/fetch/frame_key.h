// What frames are told apart by: in memory, on disk, and in flight.
//
// Thread rule: values and pure functions.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

#include "catalog/frame.h"
#include "fetch/frame_store.h"
#include "model/content.h"

namespace lazyvol::fetch {

/// What was checked of a frame beyond its hash.
enum class FrameKind : std::uint8_t { data, page, map };

FrameKind kind_of(FrameUse use);
/// Whether the block cache shall keep frames of this use.
inline bool is_kept(FrameUse use) {
  return use != FrameUse::part;
}

/// The identity of a frame's bytes, wherever they lie. The raw length belongs to it: the same
/// stored bytes are others when they are taken for uncompressed. So does the kind: data is not a
/// valid page because somebody has it.
struct FrameId {
  catalog::Digest hash;
  std::uint32_t raw = 0;
  FrameKind kind = FrameKind::data;
  auto operator<=>(const FrameId&) const = default;
};
struct FrameIdHash {
  std::size_t operator()(const FrameId& id) const noexcept {
    return catalog::DigestHash()(id.hash) ^ id.raw;
  }
};

/// A frame at its place: what one flight is about.
struct FramePlace {
  catalog::FrameRef ref;
  FrameKind kind = FrameKind::data;
  FrameId id() const { return {ref.hash, ref.raw, kind}; }
  auto operator<=>(const FramePlace&) const = default;
};
struct FramePlaceHash {
  std::size_t operator()(const FramePlace& place) const noexcept {
    return FrameIdHash()(place.id()) ^ catalog::DigestHash()(place.ref.pack);
  }
};

/// The frame's name in the block cache: 16 bytes of the SHA-256 of a label for its kind, the hash
/// and the raw length. Volumes of several publishers share a cache, who must not be able to make
/// their frames pass for another's. docs/cache.md, "Frames".
model::ContentKey cache_key(const FrameId& id);

}  // namespace lazyvol::fetch
