// A modelled link: latency, shared bandwidth, connections that start slowly, stalls.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <random>
#include <vector>

namespace lazyvol::bench {

struct LinkOptions {
  double round_trip_s = 0.020;
  double bytes_per_s = 1.2e9;             ///< of all connections together
  double connection_bytes_per_s = 1.2e9;  ///< of each
  double stalls_per_gib = 0;              ///< a connection is silent for stall_s then
  double stall_s = 1.0;
  std::uint32_t connections = 16;
};

/// Time goes in steps. A request takes a connection (the first one on it pays a round trip to open
/// it), one round trip, and then its bytes, at a rate that doubles with each round trip as the
/// congestion window does (RFC 5681: it starts at ten segments), within the two bandwidths.
class LinkModel {
 public:
  using Arrived = std::function<void(std::uint64_t begin, std::uint64_t end)>;

  LinkModel(const LinkOptions& options, Arrived arrived)
      : options_(options), arrived_(std::move(arrived)), connections_(options.connections) {}

  void ask(std::uint64_t begin, std::uint64_t end, bool urgent) {
    if (urgent) {
      waiting_.push_front({begin, end});
    } else {
      waiting_.push_back({begin, end});
    }
    ++requests_;
  }
  std::uint64_t requests() const { return requests_; }
  std::uint64_t bytes() const { return bytes_; }

  void step(double now, double dt) {
    admit(now);
    double wanted = 0;
    for (Connection& connection : connections_) {
      connection.share = 0;
      if (connection.at == connection.end || now < connection.silent_until) continue;
      const double by_window = connection.window / options_.round_trip_s;
      connection.share = std::min(by_window, options_.connection_bytes_per_s);
      wanted += connection.share;
    }
    const double scale = wanted > options_.bytes_per_s ? options_.bytes_per_s / wanted : 1;
    for (Connection& connection : connections_) {
      if (connection.share > 0) transmit(connection, now, connection.share * scale * dt, dt);
    }
  }

 private:
  struct Range {
    std::uint64_t begin, end;
  };
  struct Connection {
    bool open = false;
    std::uint64_t at = 0, end = 0;
    double window = 14'600, silent_until = 0, share = 0, credit = 0;
  };

  void admit(double now) {
    for (Connection& connection : connections_) {
      if (waiting_.empty()) return;
      if (connection.at != connection.end) continue;
      connection.at = waiting_.front().begin;
      connection.end = waiting_.front().end;
      waiting_.pop_front();
      connection.silent_until = now + options_.round_trip_s * (connection.open ? 1 : 2);
      connection.open = true;
      connection.credit = 0;
    }
  }
  void transmit(Connection& connection, double now, double bytes, double dt) {
    connection.credit += bytes;
    const auto whole = static_cast<std::uint64_t>(connection.credit);
    connection.credit -= static_cast<double>(whole);
    const std::uint64_t end = std::min(connection.end, connection.at + whole);
    bytes_ += end - connection.at;
    arrived_(connection.at, end);
    connection.at = end;
    connection.window = std::min(connection.window * (1 + dt / options_.round_trip_s), 16e6);
    const double chance = options_.stalls_per_gib * bytes / double{1ULL << 30};
    if (chance > 0 && std::uniform_real_distribution(0.0, 1.0)(random_) < chance) {
      connection.silent_until = now + options_.stall_s;
    }
  }

  const LinkOptions options_;
  const Arrived arrived_;
  std::vector<Connection> connections_;
  std::deque<Range> waiting_;
  std::uint64_t requests_ = 0, bytes_ = 0;
  std::mt19937_64 random_{1};
};

}  // namespace lazyvol::bench
