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
#include <string_view>
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
  /// PEM file of further CAs to trust, beside the system's directory of CAs; empty = the system's
  /// bundle alone.
  std::string ca_cert_path;
  std::string client_cert_path, client_key_path;  ///< PEM; the key may stand in the first file
  /// Of s3 sources, which sign with them; the engine does not look at them.
  std::string access_key_id, secret_access_key, session_token;
  bool use_netrc = false;  ///< ~/.netrc, per host, when there is no username and no token
  std::string private_key_path, passphrase, known_hosts_path;  ///< of SSH

  bool operator==(const HttpIdentity&) const = default;
};

/// A body that is worth sharing: made and hashed once, for all attempts to send it.
struct Payload {
  std::string bytes;
  std::string sha256;  ///< of `bytes`, lower-case hex
};

struct HttpRequest {
  enum class Method { get, head, put, post, del };
  Method method = Method::get;
  std::string url;  ///< absolute, encoded, http or https, without user information
  std::vector<std::pair<std::string, std::string>> headers;  ///< extra request headers
  /// Range: bytes=first-(first+length-1). Encoded as identity always.
  std::optional<std::pair<std::uint64_t, std::uint64_t>> range;  ///< {first, length}
  bool accept_encoding = false;            ///< negotiate and decode (for metadata, never for bytes)
  std::string body;                        ///< of put and post
  std::shared_ptr<const Payload> payload;  ///< instead of `body`
  /// When false, a redirect is a response like any other: a signature holds for one host.
  bool follow_redirects = true;
  /// All of `headers` are secrets: after a redirect to another origin they stay behind. Of others
  /// only those that are known to be secrets do (Authorization, Cookie, …).
  bool headers_are_secret = false;
  bool bypass_proxy = false;                     ///< for services of this machine
  std::shared_ptr<const HttpIdentity> identity;  ///< may be null
  RequestContext context;

  std::string_view content() const { return payload ? payload->bytes : std::string_view(body); }
};

/// "GET", "HEAD", … Static storage.
std::string_view method_name(HttpRequest::Method method);

/// Receives one response on the transfer thread. Must not block; calls come in order
/// on_head, on_data*, on_done; on_done exactly once in any case. (When the engine is being
/// destroyed, on_done(cancelled) may come inline from submit().)
class HttpSink {
 public:
  virtual ~HttpSink() = default;
  /// The final response, before any data and also when there are none. Interim (1xx) responses and
  /// redirects that are followed are not shown.
  virtual Flow on_head(const HttpHead& head) = 0;
  /// `data` is valid during the call and has been consumed when it returns, whatever the Flow.
  /// After pause no data come until Transfer::resume(); on_done may. Over HTTP/2 up to 32 MiB of a
  /// paused response may gather in memory (the window that curl announces).
  virtual Flow on_data(std::span<const std::byte> data) = 0;
  /// Ok when the whole response arrived, whatever its HTTP status. Else unreachable (no
  /// connection), timed_out (context.no_progress passed without a byte in either direction; a
  /// paused response cannot time out, and a waiting request only while its server gives nobody a
  /// byte), cancelled (stop requested, or the sink said abort), access_denied (TLS trust failures,
  /// with the reason; a redirect from https to http), io_error (broken off, short, more than 10
  /// redirects), too_large (more than 256 KiB of header fields), unsupported (a redirect to
  /// something else than http), invalid_argument (a malformed request).
  virtual void on_done(Status status) = 0;
};

struct HttpEngineOptions {
  std::uint32_t max_connections_per_host = 16;
  /// To begin with; more when that brings more (concurrency.h). Never above the maximum.
  std::uint32_t first_connections_per_host = 16;
  std::uint32_t max_connections_total = 128;
  std::string user_agent;  ///< default "lazyvol/VERSION"
  std::chrono::milliseconds connect_timeout{5'000};
  /// Over TLS, by ALPN, for all but bulk ranges (1 MiB and more), which go over HTTP/1.1
  /// connections of their own: less CPU per byte, and a paused one blocks nobody. Plain http is
  /// HTTP/1.1.
  bool http2 = true;
  /// Directory of hashed CA certificates (openssl-rehash(1)) used beside
  /// HttpIdentity::ca_cert_path; empty = the one that libcurl was built with.
  std::string system_ca_dir;
};

struct HttpStats {
  std::uint64_t requests = 0, failures = 0, connections_opened = 0, bytes_received = 0;
  std::uint64_t in_flight = 0, queued = 0;
  std::uint64_t connections_allowed = 0;  ///< to the server that may have the most
};

/// Owns the transfer thread "lv-net". Requests beyond the connection limits wait here ordered by
/// context.priority, then age; the less urgent may not take the last connections, so that a reader
/// finds one free (request_queue.h). Up to 10 redirects are followed, to http and https only and
/// never from https to http; credentials go to the origin (scheme, host, port) of the request's URL
/// only. Proxies are taken from the environment, as curl(1) does. TLS is always verified.
/// Destruction cancels what is under way and joins; not from a sink.
class HttpEngine {
 public:
  explicit HttpEngine(HttpEngineOptions options);
  ~HttpEngine();
  HttpEngine(const HttpEngine&) = delete;
  HttpEngine& operator=(const HttpEngine&) = delete;

  /// Thread-safe, also from a sink; returns at once. The engine keeps `sink` until on_done
  /// returned.
  std::shared_ptr<Transfer> submit(HttpRequest request, std::shared_ptr<HttpSink> sink);
  HttpStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lazyvol::net
