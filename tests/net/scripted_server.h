// A server that says exactly what the test says: for responses that no real server gives.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "base/locked.h"

namespace lazyvol::net {

/// Listens on loopback, handles one connection at a time: reads one request, sends the reply for
/// it, closes.
class ScriptedServer {
 public:
  /// `reply` gets the request, head and body, and gives the raw bytes of the response; it runs on
  /// the server's thread.
  explicit ScriptedServer(std::function<std::string(const std::string& request)> reply);
  explicit ScriptedServer(std::string reply);
  ~ScriptedServer();
  std::string url() const;
  std::uint16_t port() const { return port_; }
  int requests() const { return requests_; }

 private:
  void run();

  std::function<std::string(const std::string&)> reply_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> requests_{0};
  base::Locked<int> connection_{-1};  ///< the one being served
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace lazyvol::net
