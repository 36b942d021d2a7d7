// Real servers for tests and benches: each starts on a free loopback port, is waited for, and stops
// by the pid it wrote. On failure the log is printed. A server that is not installed fails the
// test.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lazyvol::testing {

struct NginxOptions {
  bool json_index = true;      ///< autoindex_format json, else html
  bool tls = false;            ///< with a certificate of a CA made for the test, HTTP/2 on
  std::string user, password;  ///< basic auth when set
  std::string bearer_token;    ///< 401 without it, when set
  std::string extra_server;    ///< verbatim lines for the server block
  std::string extra_location;  ///< verbatim lines for location /
};

struct AccessLine {
  std::string method, uri, range;  ///< uri as sent (encoded)
  int status = 0;
  std::uint64_t body_bytes = 0;
};

/// nginx that serves `root`. stop()/start() keep the port, so an outage can be played.
class Nginx {
 public:
  explicit Nginx(std::filesystem::path root, NginxOptions options = {});
  ~Nginx();
  std::string url() const;  ///< "http://127.0.0.1:PORT/" or https://localhost:…
  std::uint16_t port() const;
  std::filesystem::path ca_path() const;  ///< PEM of the test CA, with tls
  void stop();
  void start();
  std::vector<AccessLine> access_log() const;  ///< all requests so far
  void clear_access_log();
  std::uint64_t body_bytes_sent() const;  ///< sum over the log

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Apache httpd (mod_autoindex FancyIndexing), Caddy (file_server browse) or `python3 -m
/// http.server`.
class OtherWebServer {
 public:
  enum class Kind { apache, caddy, python };
  OtherWebServer(Kind kind, std::filesystem::path root);
  ~OtherWebServer();
  std::string url() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A TCP relay in front of a server: delays each direction without limiting throughput (many
/// segments in flight), and injects faults. Settings may be changed while connections are open.
/// Thread-safe.
class Relay {
 public:
  explicit Relay(std::uint16_t target_port);
  ~Relay();
  std::uint16_t port() const;
  void set_delay(std::chrono::milliseconds one_way);
  /// Accepts and reads, but passes nothing on (a black hole) while true.
  void set_stalled(bool stalled);
  /// Closes every open connection now.
  void cut_all();
  /// Closes each later connection after that many bytes of the response; 0 = never.
  void set_cut_after(std::uint64_t response_bytes);
  /// Closes new connections at once while true.
  void set_refusing(bool refusing);
  /// Flips one bit in each response after this many bytes of a connection; 0 = never.
  void set_corrupt_after(std::uint64_t response_bytes);
  std::uint64_t connections() const;  ///< accepted so far

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Runs a command (no shell), waits, answers with its exit status and combined output.
struct CommandResult {
  int status = 0;
  std::string output;
};
CommandResult run(const std::vector<std::string>& argv);

}  // namespace lazyvol::testing
