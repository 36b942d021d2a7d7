// Numbers and strings in a byte buffer, written without limits and read with them.
//
// Varints are LEB128 (7 bits per byte, least significant first); signed values are zigzag-coded, so
// that small ones of either sign are short.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace lazyvol::base {

class ByteWriter {
 public:
  void byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<std::uint8_t>(value | 0x80));
    byte(static_cast<std::uint8_t>(value));
  }
  void signed_number(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    number((bits << 1) ^ (value < 0 ? ~std::uint64_t{0} : 0));
  }
  /// The low `width` bytes of `value`, least significant first.
  void little(std::uint64_t value, unsigned width) {
    for (unsigned i = 0; i < width; ++i) byte(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  void raw(std::string_view bytes) { out_.append(bytes); }
  void text(std::string_view bytes) {
    number(bytes.size());
    raw(bytes);
  }
  std::size_t size() const { return out_.size(); }
  std::string_view view() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

/// Reads what ByteWriter wrote. After the first thing that does not fit, failed() stays true and
/// every read answers with zero or nothing.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  bool failed() const { return failed_; }
  bool at_end() const { return rest_.empty(); }
  std::size_t left() const { return rest_.size(); }
  /// Makes failed() true: what was read makes no sense to the caller.
  std::uint8_t fail() {
    failed_ = true;
    rest_ = {};
    return 0;
  }

  std::uint8_t byte() {
    if (failed_ || rest_.empty()) return fail();
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t next = byte();
      if (failed_ || (shift == 63 && next > 1)) return fail();
      value |= std::uint64_t{next & 0x7fU} << shift;
      if (next < 0x80) return value;
    }
    return fail();
  }
  std::int64_t signed_number() {
    const std::uint64_t bits = number();
    return static_cast<std::int64_t>((bits >> 1) ^ ((bits & 1) != 0 ? ~std::uint64_t{0} : 0));
  }
  /// A number that must fit 32 bits.
  std::uint32_t number32() {
    const std::uint64_t value = number();
    if (value > UINT32_MAX) return fail();
    return static_cast<std::uint32_t>(value);
  }
  /// `width` (at most 8) bytes, least significant first.
  std::uint64_t little(unsigned width) {
    std::uint64_t value = 0;
    const std::string_view bytes = raw(width);
    for (unsigned i = 0; i < bytes.size(); ++i) {
      value |= std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << (8 * i);
    }
    return value;
  }
  std::string_view raw(std::uint64_t length) {
    if (failed_ || length > rest_.size()) {
      fail();
      return {};
    }
    const auto value = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return value;
  }
  std::string_view rest() { return raw(rest_.size()); }
  std::string_view text(std::uint64_t limit) {
    const std::uint64_t length = number();
    if (length > limit) {
      fail();
      return {};
    }
    return raw(length);
  }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace lazyvol::base
