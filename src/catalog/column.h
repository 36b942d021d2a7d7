// Columns: how pages keep many numbers or texts so that each is found without reading those before
// it. docs/format.md, "Columns".
//
// A column is a view of the page's bytes, which must outlive it. Thread rule: immutable.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace lazyvol::catalog {

/// What runs from one value to the next (shared beginnings, starts) begins anew at each multiple.
inline constexpr std::size_t kRestart = 16;
inline std::size_t restarts(std::size_t rows) {
  return (rows + kRestart - 1) / kRestart;
}

/// Numbers: value i is base + slope·i + the i-th byte of each plane, plane p shifted by 8·p bits.
/// Planes make equal high bytes neighbours, which is what zstd likes; arithmetic is modulo 2^64.
class Column {
 public:
  Column() = default;
  /// Takes a column of `count` numbers off `in`, which has failed() after damage.
  Column(base::ByteReader& in, std::size_t count);

  std::size_t size() const { return count_; }
  /// Value `i` < size().
  std::int64_t at(std::size_t i) const {
    std::uint64_t value = base_ + (slope_ ? i : 0);
    const char* byte = planes_.data() + i;
    for (unsigned plane = 0; plane < width_; ++plane, byte += count_) {
      value += std::uint64_t{static_cast<std::uint8_t>(*byte)} << (8 * plane);
    }
    return static_cast<std::int64_t>(value);
  }
  /// The same without a sign.
  std::uint64_t number(std::size_t i) const { return static_cast<std::uint64_t>(at(i)); }

 private:
  std::string_view planes_;
  std::size_t count_ = 0;
  std::uint64_t base_ = 0;
  unsigned width_ = 0;
  bool slope_ = false;
};

enum class Slope : std::uint8_t { flat, rising };

/// Appends `values` in as few planes as they need.
void write_column(base::ByteWriter& out, std::span<const std::int64_t> values,
                  Slope slope = Slope::flat);

/// Texts: a column of lengths, the start of each kRestart-th, and the bytes.
class Texts {
 public:
  Texts() = default;
  Texts(base::ByteReader& in, std::size_t count);

  std::size_t size() const { return lengths_.size(); }
  /// The length that text `i` < size() claims to have.
  std::uint64_t length(std::size_t i) const { return lengths_.number(i); }
  /// Text `i` < size(); nothing where the lengths do not fit the bytes.
  std::optional<std::string_view> at(std::size_t i) const;

  /// Goes from text to text without adding up lengths again.
  class Cursor {
   public:
    /// Stands before text `i` <= size().
    Cursor(const Texts& texts, std::size_t i);
    /// The text that it stands before; nothing at damage and at the end.
    std::optional<std::string_view> next();

   private:
    const Texts* texts_;
    std::size_t next_;
    std::uint64_t start_ = 0;
    bool damaged_ = false;
  };

 private:
  Column lengths_, starts_;
  std::string_view bytes_;
};

/// Collects texts for a page.
class TextsWriter {
 public:
  void add(std::string_view text);
  void write(base::ByteWriter& out) const;

 private:
  std::vector<std::int64_t> lengths_, starts_;
  std::string bytes_;
};

}  // namespace lazyvol::catalog
