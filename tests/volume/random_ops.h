// Random operations on a LiveVolume over a real, changing origin, checked against a model.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "fake_clock.h"
#include "lazyvol/source.h"

namespace lazyvol::testing {

struct RandomOpsOptions {
  std::uint64_t seed = 1;
  std::chrono::seconds duration{0};  ///< run at least that long, and
  std::uint64_t rounds = 1;          ///< at least that many rounds
  unsigned readers = 3;              ///< threads beside the one that changes things
  /// Makes a Source for the origin's directory.
  std::function<std::shared_ptr<Source>(const std::filesystem::path&)> source;
};

struct RandomOpsReport {
  std::map<std::string, std::uint64_t> counts;  ///< operations and outcomes, by name
  std::uint64_t bytes_checked = 0;
  std::string failure;  ///< empty: nothing found
};

/// Works below `dir`. Stops at the first failure.
RandomOpsReport run_random_ops(const std::filesystem::path& dir, const RandomOpsOptions& options);

}  // namespace lazyvol::testing
