#include "catalog/file_map.h"

#include <algorithm>

#include "catalog/page.h"

namespace lazyvol::catalog {
namespace {

constexpr std::uint8_t kMapMark = 0x4d;  // no page begins with it

Error damaged() {
  return {Code::corrupt, "a damaged file map"};
}

}  // namespace

Result<FileMap> FileMap::open(std::string_view map) {
  if (map.size() > kMaxPageBytes) return damaged();
  base::ByteReader in(map);
  FileMap result;
  const bool known = in.byte() == kMapMark;
  result.level_ = in.byte();
  result.size_ = in.number();
  const std::uint64_t rows = in.number();
  if (!known || result.level_ > kMaxMapLevel || rows == 0 || rows > kMaxMapRows ||
      result.size_ > INT64_MAX) {
    in.fail();
  }
  const std::size_t count = in.failed() ? 0 : static_cast<std::size_t>(rows);
  result.begins_ = Column(in, restarts(count));
  result.kinds_ = Column(in, count);
  result.lengths_ = Column(in, count);
  result.frame_numbers_ = Column(in, count);
  result.offsets_ = Column(in, count);
  result.frames_ = FrameTable(in);
  if (in.failed() || !in.at_end() || result.begins_.at(0) != 0) return damaged();
  return result;
}

Result<Extent> FileMap::extent(std::size_t row) const {
  if (row >= rows()) return damaged();
  const std::uint64_t kind = kinds_.number(row), offset = offsets_.number(row);
  Extent result;
  result.length = lengths_.number(row);
  if (kind > 2 || result.length == 0 || result.length > size_) return damaged();
  result.kind = static_cast<Extent::Kind>(kind);
  if (result.kind == Extent::Kind::hole) return result;
  if ((result.kind == Extent::Kind::map) != (level_ > 0)) return damaged();
  LAZYVOL_TRY_ASSIGN(result.frame, frames_.at(frame_numbers_.number(row)));
  if (result.kind == Extent::Kind::map) return result;
  if (offset > result.frame.raw || result.length > result.frame.raw - offset) return damaged();
  result.offset = static_cast<std::uint32_t>(offset);
  return result;
}

Result<FileMap::Found> FileMap::find(std::uint64_t position) const {
  if (position >= size_) return Error{Code::invalid_argument, "a position past the end"};
  std::size_t low = 1, high = begins_.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (begins_.number(middle) <= position) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  std::uint64_t begin = begins_.number(low - 1);
  for (std::size_t row = (low - 1) * kRestart; row < std::min(low * kRestart, rows()); ++row) {
    LAZYVOL_TRY_ASSIGN(const Extent found, extent(row));
    if (begin > position) break;
    if (position - begin < found.length) return Found{row, begin, found};
    begin += found.length;
  }
  return damaged();
}

Status FileMap::validate() const {
  std::uint64_t sum = 0;
  for (std::size_t row = 0; row < rows(); ++row) {
    LAZYVOL_TRY_ASSIGN(const Extent found, extent(row));
    if (row % kRestart == 0 && begins_.number(row / kRestart) != sum) return damaged();
    sum += found.length;
    if (sum > size_) return damaged();
  }
  return sum == size_ ? Status() : Status(damaged());
}

Result<std::string> encode_file_map(unsigned level, std::span<const Extent> extents) {
  if (level > kMaxMapLevel || extents.empty() || extents.size() > kMaxMapRows) {
    return Error{Code::invalid_argument, "a file map of no extent, or of too many"};
  }
  std::vector<std::int64_t> begins, kinds, lengths, numbers, offsets;
  FrameTableWriter frames;
  std::uint64_t size = 0;
  for (const Extent& extent : extents) {
    const bool hole = extent.kind == Extent::Kind::hole;
    if (lengths.size() % kRestart == 0) begins.push_back(static_cast<std::int64_t>(size));
    kinds.push_back(static_cast<std::int64_t>(extent.kind));
    lengths.push_back(static_cast<std::int64_t>(extent.length));
    // A hole has the number that the next frame will have: constant steps cost nothing.
    numbers.push_back(static_cast<std::int64_t>(hole ? frames.size() : frames.add(extent.frame)));
    offsets.push_back(extent.offset);
    size += extent.length;
    if (extent.length == 0 || extent.length > INT64_MAX || size > INT64_MAX) {
      return Error{Code::invalid_argument, "an extent of an impossible length"};
    }
  }
  base::ByteWriter out;
  out.byte(kMapMark);
  out.byte(static_cast<std::uint8_t>(level));
  out.number(size);
  out.number(extents.size());
  write_column(out, begins);
  write_column(out, kinds);
  write_column(out, lengths);
  write_column(out, numbers, Slope::rising);
  write_column(out, offsets);
  frames.write(out);
  std::string map = out.take();
  // What no reader would take must not be written.
  LAZYVOL_TRY_ASSIGN(const FileMap check, FileMap::open(map));
  if (!check.validate().ok()) {
    return Error{Code::invalid_argument, "extents that cannot stand in this map"};
  }
  return map;
}

Result<FrameRef> write_file_maps(PageWriter& writer, std::vector<Extent> extents) {
  for (unsigned level = 0;; ++level) {
    std::vector<Extent> above;
    for (std::size_t at = 0; at < extents.size(); at += kMaxMapRows) {
      const std::span<const Extent> part =
          std::span(extents).subspan(at, std::min(kMaxMapRows, extents.size() - at));
      LAZYVOL_TRY_ASSIGN(std::string map, encode_file_map(level, part));
      LAZYVOL_TRY(writer.write(std::move(map)));
      Extent whole{.kind = Extent::Kind::map, .length = 0, .frame = {}, .offset = 0};
      for (const Extent& extent : part) whole.length += extent.length;
      above.push_back(whole);
    }
    LAZYVOL_TRY_ASSIGN(const std::vector<FrameRef> frames, writer.seal());
    if (frames.empty() || frames.size() != above.size()) {
      return Error{Code::invalid_argument, "no extent, or a writer that lost count"};
    }
    if (frames.size() == 1) return frames[0];
    for (std::size_t i = 0; i < frames.size(); ++i) above[i].frame = frames[i];
    extents = std::move(above);
  }
}

}  // namespace lazyvol::catalog
