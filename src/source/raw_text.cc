#include "source/raw_text.h"

namespace lazyvol::source {
namespace {

bool is_ascii(char c) {
  return static_cast<unsigned char>(c) < 0x80;
}

// U+10FF80 + (byte - 0x80) in UTF-8: F4 8F BE..BF 80..BF.
char stand_in(char byte, unsigned part) {
  const auto low = static_cast<unsigned char>(byte) & 0x7fU;
  switch (part) {
    case 0:
      return '\xf4';
    case 1:
      return '\x8f';
    case 2:
      return static_cast<char>(0xbeU | (low >> 6));
    default:
      return static_cast<char>(0x80U | (low & 0x3fU));
  }
}

}  // namespace

void append_escaped(std::string& out, std::string_view bytes) {
  for (const char c : bytes) {
    if (is_ascii(c)) {
      out.push_back(c);
      continue;
    }
    for (unsigned part = 0; part < 4; ++part) out.push_back(stand_in(c, part));
  }
}

std::string unescape_bytes(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool stands_in = text.size() - i >= 4 && text[i] == '\xf4' && text[i + 1] == '\x8f' &&
                           (text[i + 2] == '\xbe' || text[i + 2] == '\xbf');
    if (!stands_in) {
      out.push_back(text[i]);
      continue;
    }
    const unsigned high = text[i + 2] == '\xbf' ? 0x40U : 0U;
    out.push_back(
        static_cast<char>(0x80U | high | (static_cast<unsigned char>(text[i + 3]) & 0x3fU)));
    i += 3;
  }
  return out;
}

char EscapingIterator::operator*() const {
  return is_ascii(*at_) ? *at_ : stand_in(*at_, part_);
}

EscapingIterator& EscapingIterator::operator++() {
  if (!is_ascii(*at_) && ++part_ < 4) return *this;
  part_ = 0;
  ++at_;
  return *this;
}

EscapingIterator EscapingIterator::operator++(int) {
  EscapingIterator before = *this;
  ++*this;
  return before;
}

}  // namespace lazyvol::source
