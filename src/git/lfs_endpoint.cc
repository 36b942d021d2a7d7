#include "git/lfs_endpoint.h"

#include <utility>

#include "git/access.h"
#include "model/source_url.h"
#include "net/http_url.h"

namespace lazyvol::git {
namespace {

/// Without a port: the API may have one of its own.
std::string host_of(std::string authority) {
  const auto colon = authority.rfind(':');
  const auto bracket = authority.rfind(']');
  if (colon != std::string::npos && (bracket == std::string::npos || colon > bracket)) {
    authority.resize(colon);
  }
  return authority;
}

}  // namespace

std::string lfs_api_url(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  if (!url.ends_with(".git")) url += ".git";
  return url + "/info/lfs";
}

bool is_allowed_lfs_url(const std::string& git_url, const std::string& configured) {
  const auto remote = parse_git_url(git_url);
  const auto url = net::parse_http_url(configured);
  if (!remote.ok() || !url.ok() || remote->scheme == "git+file") return false;
  const bool may_be_plain = remote->scheme == "git+http";
  return url->origin.host == host_of(remote->authority) && (may_be_plain || url->origin.tls()) &&
         configured.find_first_of("?#") == std::string::npos;
}

Result<LfsEndpoint> lfs_endpoint(const std::string& git_url, const std::string& configured) {
  LAZYVOL_TRY_ASSIGN(const auto remote, parse_git_url(git_url));
  if (remote.scheme == "git+file") return LfsEndpoint{LfsEndpoint::Kind::file, remote.path};
  if (is_allowed_lfs_url(git_url, configured)) {
    std::string url = configured;
    while (url.ends_with('/')) url.pop_back();
    return LfsEndpoint{LfsEndpoint::Kind::http, std::move(url)};
  }
  if (remote.scheme == "git+ssh") return LfsEndpoint{LfsEndpoint::Kind::ssh, git_url};
  return LfsEndpoint{LfsEndpoint::Kind::http, lfs_api_url(git_url)};
}

}  // namespace lazyvol::git
