#include "catalog/column.h"

#include <algorithm>
#include <bit>

namespace lazyvol::catalog {
namespace {

constexpr std::uint8_t kWidthMask = 0x0f;
constexpr std::uint8_t kRising = 0x10;

}  // namespace

Column::Column(base::ByteReader& in, std::size_t count) : count_(count) {
  const std::uint8_t form = in.byte();
  width_ = form & kWidthMask;
  slope_ = (form & kRising) != 0;
  base_ = static_cast<std::uint64_t>(in.signed_number());
  if (width_ > 8 || (form & ~(kWidthMask | kRising)) != 0) in.fail();
  planes_ = in.raw(std::uint64_t{width_} * count);
  if (in.failed()) *this = Column();
}

void write_column(base::ByteWriter& out, std::span<const std::int64_t> values, Slope slope) {
  const bool rising = slope == Slope::rising;
  std::vector<std::int64_t> rest(values.begin(), values.end());
  for (std::size_t i = 0; rising && i < rest.size(); ++i) {
    rest[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(rest[i]) - i);
  }
  std::uint64_t base = 0, spread = 0;
  if (!rest.empty()) {
    const auto [least, most] = std::minmax_element(rest.begin(), rest.end());
    base = static_cast<std::uint64_t>(*least);
    spread = static_cast<std::uint64_t>(*most) - base;
  }
  const auto width = static_cast<unsigned>(std::bit_width(spread) + 7) / 8;
  out.byte(static_cast<std::uint8_t>(width | (rising ? kRising : 0)));
  out.signed_number(static_cast<std::int64_t>(base));
  for (unsigned plane = 0; plane < width; ++plane) {
    for (const std::int64_t value : rest) {
      out.byte(
          static_cast<std::uint8_t>((static_cast<std::uint64_t>(value) - base) >> (8 * plane)));
    }
  }
}

Texts::Texts(base::ByteReader& in, std::size_t count)
    : lengths_(in, count), starts_(in, restarts(count)) {
  bytes_ = in.raw(in.number());
  if (in.failed()) *this = Texts();
}

std::optional<std::string_view> Texts::at(std::size_t i) const {
  return Cursor(*this, i).next();
}

Texts::Cursor::Cursor(const Texts& texts, std::size_t i) : texts_(&texts), next_(i) {
  const std::size_t restart = i / kRestart * kRestart;
  if (restart >= texts.size()) return;
  start_ = texts.starts_.number(i / kRestart);
  damaged_ = start_ > texts.bytes_.size();
  // No sum of 16 lengths that are checked one by one can wrap around.
  for (std::size_t at = restart; at < i && !damaged_; ++at) {
    const std::uint64_t length = texts.lengths_.number(at);
    damaged_ = length > texts.bytes_.size() - start_;
    start_ += length;
  }
}

std::optional<std::string_view> Texts::Cursor::next() {
  if (damaged_ || next_ >= texts_->size()) return std::nullopt;
  if (next_ % kRestart == 0 && texts_->starts_.number(next_ / kRestart) != start_) {
    damaged_ = true;
    return std::nullopt;
  }
  const std::uint64_t length = texts_->lengths_.number(next_);
  damaged_ = length > texts_->bytes_.size() - start_;
  if (damaged_) return std::nullopt;
  const auto text = texts_->bytes_.substr(start_, length);
  start_ += length;
  ++next_;
  return text;
}

void TextsWriter::add(std::string_view text) {
  if (lengths_.size() % kRestart == 0) starts_.push_back(static_cast<std::int64_t>(bytes_.size()));
  lengths_.push_back(static_cast<std::int64_t>(text.size()));
  bytes_.append(text);
}

void TextsWriter::write(base::ByteWriter& out) const {
  write_column(out, lengths_);
  write_column(out, starts_);
  out.text(bytes_);
}

}  // namespace lazyvol::catalog
