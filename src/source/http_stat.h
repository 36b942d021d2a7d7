// Describes one URL by a HEAD request.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lazyvol/source.h"
#include "source/http_site.h"

namespace lazyvol::source {

struct HttpStat {
  RemoteEntry entry;          ///< name is the last component of `path`
  std::string effective_url;  ///< after redirects
};

/// Asks for `url` (which belongs to `path`), retried. A server that refuses HEAD (405) is asked
/// with a GET of one byte. A directory is what redirects to itself with a '/', or a URL that ends
/// in one. Errors: as Source::stat; unsupported when the server does not tell a file's length.
void http_stat(const std::shared_ptr<HttpSite>& site, std::string url, std::string path,
               RequestContext ctx, std::function<void(Result<HttpStat>)> done);

}  // namespace lazyvol::source
