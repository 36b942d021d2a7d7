// What the tests that kill a cache share with the process that they kill.
#pragma once

#include <cstdint>
#include <filesystem>

#include "block_support.h"

namespace lazyvol::cache::testing {

inline constexpr std::uint64_t kCrashContents = 400;

inline std::uint64_t crash_size(std::uint64_t number) {
  constexpr std::uint64_t sizes[] = {3 * kMiB, 4000, 300 * kKiB, 18 * kMiB + 1, 90'000, kMiB};
  return sizes[number % 6];
}

inline CacheOptions crash_options(const std::filesystem::path& dir, bool steady) {
  CacheOptions options;
  options.dir = dir;
  options.free_space_ratio = 0;
  options.max_bytes = steady ? 8ULL << 30 : 48 * kMiB;
  options.commit_interval = std::chrono::milliseconds(10);
  options.max_dirty_bytes = 8 * kMiB;
  return options;
}

}  // namespace lazyvol::cache::testing
