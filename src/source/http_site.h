// What all requests of one http source share: where it is, who asks, and what was learned of it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/credentials.h"
#include "net/fetch_body.h"
#include "source/registry.h"

namespace lazyvol::source {

/// Thread-safe. Shared by the source and by its requests under way. Sources that speak a dialect
/// of HTTP (s3) derive from it and use http_read.h and http_stat.h.
class HttpSite : public std::enable_shared_from_this<HttpSite> {
 public:
  HttpSite(const SourceEnvironment& environment, std::shared_ptr<net::Credentials> credentials,
           std::uint32_t max_retries)
      : environment_(environment), credentials_(std::move(credentials)), retries_(max_retries) {}
  virtual ~HttpSite() = default;

  /// A request for `url` as whoever the credentials say.
  virtual net::HttpRequest request(net::HttpRequest::Method method, std::string url,
                                   const RequestContext& ctx) const;
  /// Sends it, once. Contract of net::HttpEngine::submit(), but that a dialect may show its own
  /// errors in on_done() instead of the responses that mean them.
  virtual std::shared_ptr<Transfer> submit(net::HttpRequest request,
                                           std::shared_ptr<net::HttpSink> sink);
  /// The same, retried, with its whole body in memory. `done` as net::fetch_body's.
  void fetch(net::HttpRequest request, std::uint64_t max_body, net::FetchBodyDone done);
  /// True where Content-Encoding tells of the stored file, whose bytes come as they are.
  virtual bool keeps_encodings() const { return false; }

  const SourceEnvironment& environment() const { return environment_; }
  net::Credentials& credentials() const { return *credentials_; }

  /// False once a file was served with another kind of identity than exact listings show (an ETag
  /// that says more, another host after a redirect): listings then leave the identity to stat().
  /// Without this, each listing would undo what the last stat() said.
  bool listings_identify() const { return listings_identify_.load(std::memory_order_relaxed); }
  void distrust_listings() { listings_identify_.store(false, std::memory_order_relaxed); }

 private:
  const SourceEnvironment environment_;
  const std::shared_ptr<net::Credentials> credentials_;
  const std::uint32_t retries_;
  std::atomic<bool> listings_identify_{true};
};

/// Where the tree lies. Immutable.
struct HttpRoot {
  std::string base_url;   ///< of the directory; ends in '/'
  std::string file_name;  ///< decoded; set when SOURCE is one file: base_url + it is the file's URL
  std::string file_url;

  bool single_file() const { return !file_url.empty(); }
  /// `path` passed check_path(). The URL of a file, or without its final '/' of a directory; the
  /// root's own ends in '/'.
  std::string url_of(std::string_view path) const;
};

/// True when `effective` is `requested` with a '/' added, which is how servers say "a directory".
bool redirected_to_directory(std::string_view requested, std::string_view effective);

/// True when both have the same scheme and host.
bool same_origin(std::string_view a, std::string_view b);

/// Seconds since the Unix epoch by this machine's clock.
std::int64_t local_now_s();

}  // namespace lazyvol::source
