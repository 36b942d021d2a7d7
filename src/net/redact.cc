#include "net/redact.h"

namespace lazyvol::net {

std::string redact_url(std::string_view url) {
  constexpr std::size_t kLongest = 512;
  constexpr std::string_view kEllipsis = "\u2026";
  url = url.substr(0, url.find('#'));
  const auto query = url.find('?');
  std::string_view shown = url.substr(0, query);

  std::string out;
  if (const auto scheme_end = shown.find("://"); scheme_end != std::string_view::npos) {
    const auto authority = scheme_end + 3;
    const auto authority_end = shown.find_first_of("/\\", authority);
    const auto user_end = shown.substr(0, authority_end).rfind('@');
    out = shown.substr(0, authority);
    shown.remove_prefix(user_end == std::string_view::npos || user_end < authority ? authority
                                                                                   : user_end + 1);
  }
  out += shown;
  if (out.size() > kLongest) {
    out.resize(kLongest);
    out += kEllipsis;
  }
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (query != std::string_view::npos) (out += '?') += kEllipsis;
  return out;
}

}  // namespace lazyvol::net
