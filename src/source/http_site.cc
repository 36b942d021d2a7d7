#include "source/http_site.h"

#include <utility>

#include "base/clock.h"
#include "model/source_url.h"

namespace lazyvol::source {
namespace {

std::string_view without_query(std::string_view url) {
  return url.substr(0, url.find_first_of("?#"));
}

// Splits after the authority: "http://host" and "/path".
std::pair<std::string_view, std::string_view> split(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {{}, url};
  const std::size_t slash = url.find('/', scheme + 3);
  if (slash == std::string_view::npos) return {url, {}};
  return {url.substr(0, slash), url.substr(slash)};
}

// The last component of a URL's path, decoded; a final '/' is not part of it.
std::string last_name(std::string_view url) {
  std::string_view path = split(without_query(url)).second;
  if (path.ends_with('/')) path.remove_suffix(1);
  const auto name = model::percent_decode(path.substr(path.rfind('/') + 1));
  return name.ok() ? *name : std::string();
}

}  // namespace

net::HttpRequest HttpSite::request(net::HttpRequest::Method method, std::string url,
                                   const RequestContext& ctx) const {
  net::HttpRequest request;
  request.method = method;
  request.url = std::move(url);
  request.identity = credentials_->current();
  request.context = ctx;
  return request;
}

std::shared_ptr<Transfer> HttpSite::submit(net::HttpRequest request,
                                           std::shared_ptr<net::HttpSink> sink) {
  return environment_.http.submit(std::move(request), std::move(sink));
}

void HttpSite::fetch(net::HttpRequest request, std::uint64_t max_body, net::FetchBodyDone done) {
  net::FetchBodyOptions options;
  options.max_body = max_body;
  options.retry.max_retries = retries_;
  options.retry.deadline = request.context.no_progress;
  options.refresh_identity = [credentials = credentials_] {
    credentials->reload();
    return credentials->current();
  };
  options.submit = [self = shared_from_this()](net::HttpRequest attempt,
                                               std::shared_ptr<net::HttpSink> sink) {
    (void)self->submit(std::move(attempt), std::move(sink));
  };
  net::fetch_body(environment_.http, environment_.timer, std::move(request), std::move(options),
                  std::move(done));
}

std::string HttpRoot::url_of(std::string_view path) const {
  if (single_file()) return path.empty() ? base_url : file_url;
  return base_url + model::percent_encode_path(path);
}

bool redirected_to_directory(std::string_view requested, std::string_view effective) {
  if (requested.ends_with('/') || !without_query(effective).ends_with('/')) return false;
  return last_name(requested) == last_name(effective);
}

bool same_origin(std::string_view a, std::string_view b) {
  return split(a).first == split(b).first;
}

std::int64_t local_now_s() {
  return base::system_clock().wall_ns() / 1'000'000'000;
}

}  // namespace lazyvol::source
