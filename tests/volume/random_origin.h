// A real Source for the random operations.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "base/timer.h"
#include "base/workers.h"
#include "lazyvol/source.h"
#include "net/http_engine.h"
#include "source/bandwidth_limit.h"
#include "support/servers.h"

namespace lazyvol::testing {

/// The dir source, or the http source in front of an nginx of its own. Outlives what it opened.
class RandomOrigin {
 public:
  explicit RandomOrigin(bool http) : http_(http) {}
  /// Aborts the program when there is no such source.
  std::shared_ptr<Source> open(const std::filesystem::path& root);

 private:
  const bool http_;
  std::optional<Nginx> nginx_;
  base::TimerQueue timer_;
  base::Workers blocking_{"lv-block", 4};
  source::BandwidthLimit bandwidth_;
  net::HttpEngine engine_{{}};
};

}  // namespace lazyvol::testing
