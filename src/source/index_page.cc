#include "source/index_page.h"

#include <fmt/core.h>

#include "source/paths.h"

namespace lazyvol::source {
namespace {

// The media type without parameters; types are compared in lower case, which is how servers send
// them.
std::string_view media_type(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  return type;
}

char first_visible(std::string_view body) {
  const std::size_t at = body.find_first_not_of(" \t\r\n");
  return at == std::string_view::npos ? '\0' : body[at];
}

}  // namespace

std::string mtime_validator(std::int64_t mtime_s, std::uint64_t size) {
  return fmt::format("m:{}-{}", mtime_s, size);
}

Error not_an_index(std::string_view why) {
  return Error{Code::corrupt, fmt::format("is not a directory index ({})", why)};
}

Result<Listing> parse_index(std::string_view body, std::string_view content_type,
                            std::string_view url, std::int64_t now_s) {
  if (body.size() > kMaxIndexBytes) {
    return Error{Code::too_large, fmt::format("the index is larger than {} bytes", kMaxIndexBytes)};
  }
  if (body.starts_with("\xef\xbb\xbf")) body.remove_prefix(3);
  LAZYVOL_TRY_ASSIGN(const IndexBase base, IndexBase::parse(url));
  if (body.find('\0') != std::string_view::npos) return not_an_index("binary data");
  const std::string_view type = media_type(content_type);
  const bool json_type = type.ends_with("/json") || type.ends_with("+json");
  const bool html_type = type == "text/html" || type == "application/xhtml+xml";
  const char first = first_visible(body);
  if (json_type || (!html_type && first == '[')) return parse_json_index(body, base, now_s);
  if (html_type || first == '<') return parse_html_index(body, base);
  return not_an_index(type.empty() ? "no content type" : printable(type));
}

}  // namespace lazyvol::source
