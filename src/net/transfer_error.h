// What libcurl says went wrong → Error.
#pragma once

#include <curl/curl.h>

#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::net {

/// The Error for a failed transfer. `host` is whom the request went to, `reason` the text of
/// CURLOPT_ERRORBUFFER (may be empty), `os_errno` CURLINFO_OS_ERRNO (0 = unknown). The engine sets
/// no timeout but the one for connecting, so CURLE_OPERATION_TIMEDOUT means that. Pure.
Error transfer_error(CURLcode code, std::string_view host, std::string_view reason, long os_errno);

}  // namespace lazyvol::net
