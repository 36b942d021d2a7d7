// All HTTP of the process: one curl-multi handle on one thread.
//
// Source of behaviour: RFC 9110 (HTTP semantics), libcurl 7.88 multi interface.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lazyvol/error.h"
#include "lazyvol/request.h"
#include "lazyvol/source.h"

namespace lazyvol::net {

/// Response header fields, names in lower case, in order of arrival, of the final response only.
class HeaderFields {
 public:
  void add(std::string name_lower, std::string value);
  /// The first field of that lower-case name, or nullptr.
  const std::string* find(std::string_view name_lower) const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

struct HttpHead {
  int status = 0;
  HeaderFields headers;
  std::string effective_url;  ///< after redirects
};

/// What a server wants to know of us, and whom we trust. Shared by the requests of a volume.
/// Immutable once published: a rotation makes a new one.
struct HttpIdentity {
  std::string username, password;  ///< basic auth when username is not empty
  std::string bearer_token;        ///< else, when not empty
  std::string ca_cert_path;        ///< extra trust: PEM file; empty = the system's
  std::string client_cert_path, client_key_path;
};

struct HttpRequest {
  enum class Method { get, head };
  Method method = Method::get;
  std::string url;                                          ///< absolute, encoded
  std::vector<std::pair<std::string, std::string>> headers; ///< extra request headers
  /// Range: bytes=first-(first+length-1). Encoded as identity always.
  std::optional<std::pair<std::uint64_t, std::uint64_t>> range;  ///< {first, length}
  bool accept_encoding = false;  ///< let curl negotiate and decode (for metadata, never for bytes)
  std::shared_ptr<const HttpIdentity> identity;             ///< may be null
  RequestContext context;
};

/// Receives one response on the transfer thread. Must not block; calls come in order
/// on_head, on_data*, on_done; on_done exactly once in any case.
class HttpSink {
 public:
  virtual ~HttpSink() = default;
  virtual Flow on_head(const HttpHead& head) = 0;
  virtual Flow on_data(std::span<const std::byte> data) = 0;
  /// Ok when the whole response arrived, whatever its HTTP status. Else unreachable (no connection),
  /// timed_out (context.no_progress passed without a byte), cancelled (stop requested, or the sink
  /// said abort), access_denied (TLS trust failures, with the reason), io_error (broken off, short).
  virtual void on_done(Status status) = 0;
};

struct HttpEngineOptions {
  std::uint32_t max_connections_per_host = 16;
  std::uint32_t max_connections_total = 128;
  std::string user_agent;                          ///< default "lazyvol/VERSION"
  std::chrono::milliseconds connect_timeout{5'000};
  bool http2 = true;                               ///< over TLS, by ALPN; HTTP/1.1 for plain http
};

struct HttpStats {
  std::uint64_t requests = 0, failures = 0, connections_opened = 0, bytes_received = 0;
  std::uint64_t in_flight = 0, queued = 0;
};

/// Owns the transfer thread. Requests beyond the connection limits wait here ordered by
/// context.priority, then age. Follows up to 10 redirects (GET and HEAD, http(s) only; credentials
/// are not sent to another host). Destruction cancels what is under way and joins.
class HttpEngine {
 public:
  explicit HttpEngine(HttpEngineOptions options);
  ~HttpEngine();
  HttpEngine(const HttpEngine&) = delete;
  HttpEngine& operator=(const HttpEngine&) = delete;

  /// Thread-safe, returns at once. The engine keeps `sink` until on_done returned.
  std::shared_ptr<Transfer> submit(HttpRequest request, std::shared_ptr<HttpSink> sink);
  HttpStats stats() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lazyvol::net
