// Fixed-width numbers in rows and footers.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace lazyvol::cache {

/// Appends the low `width` bytes of `value`, least significant first.
inline void put_little(std::string& out, std::uint64_t value, unsigned width) {
  for (unsigned i = 0; i < width; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

/// Appends the low `width` bytes of `value`, most significant first (sorts as the number does).
inline void put_big(std::string& out, std::uint64_t value, unsigned width) {
  for (unsigned i = width; i-- > 0;) out.push_back(static_cast<char>(value >> (8 * i)));
}

/// Takes values off the front of a text. After one that did not fit, ok() is false and all are 0.
class ByteReader {
 public:
  explicit ByteReader(std::string_view text) : text_(text) {}

  std::uint64_t little(unsigned width) {
    std::uint64_t value = 0;
    const std::string_view part = bytes(width);
    for (unsigned i = 0; i < part.size(); ++i) {
      value |= std::uint64_t{static_cast<unsigned char>(part[i])} << (8 * i);
    }
    return value;
  }
  std::uint64_t big(unsigned width) {
    std::uint64_t value = 0;
    for (const char byte : bytes(width)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }
  std::string_view bytes(std::size_t count) {
    if (!ok_ || text_.size() < count) {
      ok_ = false;
      return {};
    }
    const std::string_view part = text_.substr(0, count);
    text_.remove_prefix(count);
    return part;
  }
  bool ok() const { return ok_; }
  /// True when everything fitted and nothing is left.
  bool done() const { return ok_ && text_.empty(); }

 private:
  std::string_view text_;
  bool ok_ = true;
};

}  // namespace lazyvol::cache
