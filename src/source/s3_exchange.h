// One signed request and its answer.
#pragma once

#include <memory>

#include "net/http_engine.h"
#include "source/s3_site.h"

namespace lazyvol::source {

/// Signs `request` (of site->request()) with the keys of this moment and sends it. `sink` sees
/// responses below 300 only; everything else comes as the Error that S3 meant by it
/// (s3_error.h), in on_done(). Before that, once each: keys that are refused are looked for again
/// and, when there are others, used; a region that the refusal names is gone to; a HEAD that is
/// refused without a reason is asked again with a GET of one byte, for the reason. Transient
/// errors are not retried. Stopping the request's context ends it in each phase.
std::shared_ptr<Transfer> start_s3_exchange(std::shared_ptr<S3Site> site, net::HttpRequest request,
                                            std::shared_ptr<net::HttpSink> sink);

}  // namespace lazyvol::source
