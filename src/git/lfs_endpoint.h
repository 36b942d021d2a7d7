// Where the LFS objects of a git repository are to be had.
//
// Source: git-lfs, docs/api/server-discovery.md. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::git {

/// A longer .lfsconfig is refused.
inline constexpr std::size_t kMaxLfsconfig = 64 << 10;

struct LfsEndpoint {
  enum class Kind {
    http,  ///< `url` is the API's
    ssh,   ///< `url` is git's: whoever answers there says where the API is
    file   ///< `url` is the path of a repository of this machine
  };
  Kind kind = Kind::http;
  std::string url;
  bool operator==(const LfsEndpoint&) const = default;
};

/// The API of an http(s) URL that git uses: "URL.git/info/lfs".
std::string lfs_api_url(std::string url);

/// Of the repository that git reaches at `git_url`. `configured`: lfs.url of its .lfsconfig, or
/// empty. Errors: invalid_argument for a URL that git could not use.
Result<LfsEndpoint> lfs_endpoint(const std::string& git_url, const std::string& configured);

/// Whether lfs.url may say where the objects of `git_url` are: whoever commits can write it, so
/// only an http(s) URL of the same host, and none that gives TLS up.
bool is_allowed_lfs_url(const std::string& git_url, const std::string& configured);

}  // namespace lazyvol::git
