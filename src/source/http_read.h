// One range of a file over HTTP.
#pragma once

#include <memory>

#include "lazyvol/source.h"
#include "source/http_site.h"

namespace lazyvol::source {

/// Reads as Source::read says. The request carries the version as a condition where the server can
/// check it, and the answer's own fields are checked in any case before a byte is delivered:
/// 206 with exactly the range asked for, or 200 (the whole file from 0: the server knows no
/// ranges). After a 401 or 403 the credentials are read again and, when they changed, the request
/// is sent once more. `url` belongs to `request.path`.
std::shared_ptr<Transfer> start_http_read(std::shared_ptr<HttpSite> site, std::string url,
                                          ReadRequest request, std::shared_ptr<ReadSink> sink,
                                          const RequestContext& ctx);

}  // namespace lazyvol::source
