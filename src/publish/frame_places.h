// Frames by short numbers, for as long as a publish lasts: those that are being written get their
// place when their pack is closed, those of old packs have one.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/locked.h"
#include "catalog/frame.h"

namespace lazyvol::publish {

/// Thread-safe.
class FramePlaces {
 public:
  /// A number for a frame that will have a place.
  std::uint32_t reserve();
  void place(std::uint32_t number, const catalog::FrameRef& frame);
  /// The number of a frame that is stored already.
  std::uint32_t known(const catalog::FrameRef& frame);
  /// The place of a frame that has one.
  catalog::FrameRef at(std::uint32_t number) const;

 private:
  // 48 bytes instead of 76: a tree of 100 GB has a million.
  struct Placed {
    std::uint32_t pack = 0, offset = 0, stored = 0, raw = 0;
    catalog::Digest hash;
  };
  struct State {
    std::vector<Placed> frames;
    std::vector<catalog::Digest> packs;
    std::unordered_map<catalog::Digest, std::uint32_t, catalog::DigestHash> pack_numbers;
    /// Frames of old packs, by pack and offset.
    std::unordered_map<std::uint64_t, std::uint32_t> known;
  };
  static Placed shorten(State& state, const catalog::FrameRef& frame);

  base::Locked<State> state_;
};

}  // namespace lazyvol::publish
