#include "git/pkt_line.h"

#include <fmt/core.h>

#include <charconv>

namespace lazyvol::git {
namespace {

Error damaged(std::string_view what) {
  return {Code::corrupt, "the git server sent " + std::string(what)};
}

}  // namespace

std::string pkt_line(std::string_view text) {
  return fmt::format("{:04x}{}\n", text.size() + kPktHeader + 1, text);
}

Result<std::size_t> parse_pkt_length(std::string_view header) {
  std::size_t length = 0;
  const char* end = header.data() + header.size();
  const auto [rest, error] = std::from_chars(header.data(), end, length, 16);
  if (header.size() != kPktHeader || error != std::errc() || rest != end) {
    return damaged("no length of a line");
  }
  if (length == 3 || length > kMaxPkt) return damaged("an impossible length of a line");
  return length;
}

Result<Pkt> take_pkt(std::string_view& bytes) {
  LAZYVOL_TRY_ASSIGN(const std::size_t length, parse_pkt_length(bytes.substr(0, kPktHeader)));
  if (length < kPktHeader) {
    bytes.remove_prefix(kPktHeader);
    constexpr PktKind kMarks[] = {PktKind::flush, PktKind::delimiter, PktKind::response_end};
    return Pkt{kMarks[length], {}};
  }
  if (length > bytes.size()) return damaged("half a line");
  Pkt pkt{PktKind::data, std::string(bytes.substr(kPktHeader, length - kPktHeader))};
  if (pkt.text.ends_with('\n')) pkt.text.pop_back();
  bytes.remove_prefix(length);
  return pkt;
}

}  // namespace lazyvol::git
