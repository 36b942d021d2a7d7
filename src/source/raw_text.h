// Carries bytes that need not be UTF-8 through parsers that insist on UTF-8.
//
// Indexes hold file names as they lie on the server's disk, in any encoding or none, while a JSON
// or HTML parser rejects or converts what is not UTF-8. So every byte of 0x80 and more goes in as
// one code point of U+10FF80..U+10FFFF (the end of a private-use plane), and comes back as that
// byte. What the parser itself makes (escapes, entities) is UTF-8 already and stays as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

namespace lazyvol::source {

/// Appends `bytes` to `out` with each byte of 0x80 and more as its four-byte stand-in.
void append_escaped(std::string& out, std::string_view bytes);

/// The inverse: stand-ins become bytes, all else is kept.
std::string unescape_bytes(std::string_view text);

/// The bytes of append_escaped() one by one, without a copy of the text. A multi-pass input
/// iterator.
class EscapingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  explicit EscapingIterator(const char* at) : at_(at) {}
  char operator*() const;
  EscapingIterator& operator++();
  EscapingIterator operator++(int);
  bool operator==(const EscapingIterator&) const = default;

 private:
  const char* at_;
  unsigned part_ = 0;  ///< which of the four bytes of a stand-in
};

}  // namespace lazyvol::source
