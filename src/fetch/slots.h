// How many requests may be in flight, by what they are for.
#pragma once

#include <algorithm>
#include <cstdint>

#include "lazyvol/request.h"

namespace lazyvol::fetch {

/// Of `most`: what nobody waits for leaves a quarter to those who read ahead, and these one to
/// those who wait. At least 1. Pure.
inline std::uint32_t slots_for(Priority priority, std::uint32_t most) {
  if (priority == Priority::reader) return std::max(most, 1U);
  if (priority == Priority::hydrate) return std::max(most - most / 4, 1U);
  return std::max(most, 2U) - 1;
}

}  // namespace lazyvol::fetch
