// Reads the directory index of a web server, whoever wrote it.
//
// Formats (none has a specification; the tests keep real servers' output): nginx ngx_http_autoindex
// html and json, Apache mod_autoindex (plain, FancyIndexing, HTMLTable), Caddy file_server browse
// html and json, Python http.server, lighttpd mod_dirlisting.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lazyvol/error.h"
#include "lazyvol/source.h"
#include "source/index_names.h"

namespace lazyvol::source {

/// The validator of a file of which the origin reveals whole-second mtime and size:
/// "m:<mtime>-<size>". See source/http_version.h for the rule.
std::string mtime_validator(std::int64_t mtime_s, std::uint64_t size);

/// The entries of an index. `content_type` as sent, may be empty; `url` is the listing's own, after
/// redirects. `now_s` is the server's clock (Date), by which entries are judged settled.
/// Names come out exactly; where the index gives exact times and sizes, so do size, mtime_ns and
/// validator; else `token` holds the row's text.
/// Errors: corrupt "is not a directory index (why)" for anything else, also when it was cut short
/// (half a listing proves no absence); too_large past kMaxIndexBytes or kMaxIndexEntries.
Result<Listing> parse_index(std::string_view body, std::string_view content_type,
                            std::string_view url, std::int64_t now_s);

/// The two parsers behind it; same contract. `parse_json_index` tells nginx's rows from Caddy's by
/// their fields.
Result<Listing> parse_json_index(std::string_view body, const IndexBase& base, std::int64_t now_s);
Result<Listing> parse_html_index(std::string_view body, const IndexBase& base);

/// The error above.
Error not_an_index(std::string_view why);

}  // namespace lazyvol::source
