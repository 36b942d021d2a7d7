// The threads and connections of a store behind a URL.
#pragma once

#include <cstdint>

#include "base/timer.h"
#include "base/workers.h"
#include "net/http_engine.h"
#include "source/registry.h"

namespace lazyvol::publish {

/// One for each store; must outlive all that uses environment(). What waits for an answer when it
/// ends is cancelled.
class Network {
 public:
  explicit Network(std::uint32_t connections) : http_(engine_options(connections)) {}
  ~Network() {
    timer_.stop();  // first: its tasks reach for all others
  }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  source::SourceEnvironment environment() { return {http_, timer_, blocking_, bandwidth_}; }

 private:
  static net::HttpEngineOptions engine_options(std::uint32_t connections) {
    net::HttpEngineOptions options;
    options.max_connections_per_host = connections;
    return options;
  }
  static constexpr std::size_t kBlockingThreads = 4;

  base::TimerQueue timer_;
  base::Workers blocking_{"lv-block", kBlockingThreads};
  source::BandwidthLimit bandwidth_;  // none
  net::HttpEngine http_;
};

}  // namespace lazyvol::publish
