#include "publish/frame_places.h"

namespace lazyvol::publish {

FramePlaces::Placed FramePlaces::shorten(State& state, const catalog::FrameRef& frame) {
  const auto [found, is_new] =
      state.pack_numbers.emplace(frame.pack, static_cast<std::uint32_t>(state.packs.size()));
  if (is_new) state.packs.push_back(frame.pack);
  return {found->second, frame.offset, frame.stored, frame.raw, frame.hash};
}

std::uint32_t FramePlaces::reserve() {
  const auto state = state_.lock();
  state->frames.emplace_back();
  return static_cast<std::uint32_t>(state->frames.size() - 1);
}

void FramePlaces::place(std::uint32_t number, const catalog::FrameRef& frame) {
  const auto state = state_.lock();
  state->frames[number] = shorten(*state, frame);
}

std::uint32_t FramePlaces::known(const catalog::FrameRef& frame) {
  const auto state = state_.lock();
  const Placed placed = shorten(*state, frame);
  const std::uint64_t key = (std::uint64_t{placed.pack} << 32) | placed.offset;
  const auto [found, is_new] =
      state->known.emplace(key, static_cast<std::uint32_t>(state->frames.size()));
  if (is_new) state->frames.push_back(placed);
  return found->second;
}

catalog::FrameRef FramePlaces::at(std::uint32_t number) const {
  const auto state = state_.lock();
  const Placed& placed = state->frames[number];
  return {.pack = state->packs[placed.pack],
          .offset = placed.offset,
          .stored = placed.stored,
          .raw = placed.raw,
          .hash = placed.hash};
}

}  // namespace lazyvol::publish
