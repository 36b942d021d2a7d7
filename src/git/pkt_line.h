// The framing of git's protocols: lines with their length in front (gitprotocol-common(5)).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::git {

/// A line, or one of the marks that separate them.
enum class PktKind { data, flush, delimiter, response_end };
struct Pkt {
  PktKind kind = PktKind::data;
  std::string text;  ///< without the newline that may end it
};

inline constexpr std::size_t kPktHeader = 4;
/// The most bytes of a line, its length included.
inline constexpr std::size_t kMaxPkt = 65'520;

inline constexpr std::string_view kPktFlush = "0000";
inline constexpr std::string_view kPktDelimiter = "0001";

/// `text` and a newline, framed; at most kMaxPkt - 5 bytes.
std::string pkt_line(std::string_view text);

/// What the four bytes in front of a line say: 0, 1 and 2 are marks, else the line's length with
/// those four. Errors: corrupt. Pure.
Result<std::size_t> parse_pkt_length(std::string_view header);

/// Takes the next line off the front of `bytes`. Errors: corrupt, also for a line that is cut off.
Result<Pkt> take_pkt(std::string_view& bytes);

}  // namespace lazyvol::git
