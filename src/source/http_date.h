// Dates as web servers write them, to whole seconds since the Unix epoch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lazyvol::source {

/// "Sun, 06 Nov 1994 08:49:37 GMT" and the two obsolete forms (RFC 9110, 5.6.7). nullopt for
/// anything else: a date that is not understood is no date.
std::optional<std::int64_t> parse_http_date(std::string_view text);

/// The first of these forms.
std::string format_http_date(std::int64_t unix_seconds);

/// "2026-11-22T17:24:33.289661142Z" or with an offset "+01:00" (RFC 3339); the fraction is dropped,
/// because Last-Modified has none.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

}  // namespace lazyvol::source
