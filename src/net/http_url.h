// Absolute http and https URLs: where a request goes.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::net {

/// Who answers: RFC 6454. Credentials, connections and limits belong to one.
struct Origin {
  std::string scheme;  ///< "http" or "https"
  std::string host;    ///< lower case; IPv6 addresses in brackets
  std::uint16_t port = 0;
  auto operator<=>(const Origin&) const = default;
  bool tls() const { return scheme == "https"; }
};

struct HttpUrl {
  std::string text;
  Origin origin;
};

/// Errors: invalid_argument for another scheme, user information, characters that need encoding.
/// The message shows the URL redacted.
Result<HttpUrl> parse_http_url(const std::string& text);

/// The target of a redirect from `base`: `location` may be relative; user information in it is
/// dropped. Errors: unsupported (neither http nor https), access_denied (from https to http),
/// io_error (malformed, or longer than 16 KiB).
Result<HttpUrl> resolve_redirect(const HttpUrl& base, const std::string& location);

}  // namespace lazyvol::net
