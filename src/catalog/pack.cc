#include "catalog/pack.h"

#include "base/bytes.h"

namespace lazyvol::catalog {
namespace {

constexpr std::string_view kBeginMagic = "LZVPACK";
constexpr std::string_view kEndMagic = "LZVPEND";
constexpr std::uint8_t kPackFormat = 1;
constexpr std::uint32_t kIndexRow = 40;

Error damaged(std::string_view what) {
  return {Code::corrupt, "a pack with " + std::string(what)};
}

std::string header_of(PackKind kind) {
  base::ByteWriter out;
  out.raw(kBeginMagic);
  out.byte(kPackFormat);
  out.byte(static_cast<std::uint8_t>(kind));
  while (out.size() < kPackHeaderBytes) out.byte(0);
  return out.take();
}

}  // namespace

std::string pack_path(const Digest& pack) {
  const std::string name = pack.hex();
  return "packs/" + name.substr(0, 2) + "/" + name;
}

PackBuilder::PackBuilder(PackKind kind) : kind_(kind) {}

void PackBuilder::count(std::string_view bytes) {
  hash_.update(bytes);
  size_ += static_cast<std::uint32_t>(bytes.size());
}

std::string PackBuilder::begin() {
  std::string header = header_of(kind_);
  count(header);
  return header;
}

Result<std::uint32_t> PackBuilder::add(const EncodedFrame& frame) {
  const std::uint64_t after = std::uint64_t{size_} + frame.bytes.size() +
                              (frames_.size() + 1) * kIndexRow + kPackTrailerBytes;
  if (after > kMaxPackBytes || frames_.size() == kMaxPackFrames) {
    return Error{Code::too_large, "a pack that is full"};
  }
  const std::uint32_t offset = size_;
  frames_.push_back(frame.at({}, offset));
  count(frame.bytes);
  return offset;
}

std::string PackBuilder::finish() {
  base::ByteWriter index;
  for (const FrameRef& frame : frames_) {
    index.little(frame.stored, 4);
    index.little(frame.raw, 4);
    index.raw(frame.hash.view());
  }
  base::ByteWriter out;
  out.raw(index.view());
  out.raw(sha256(index.view()).view());
  out.little(size_, 4);
  out.little(frames_.size(), 4);
  out.byte(static_cast<std::uint8_t>(kind_));
  while (out.size() < index.size() + kPackTrailerBytes - 8) out.byte(0);
  out.raw(kEndMagic);
  out.byte(kPackFormat);
  std::string bytes = out.take();
  count(bytes);
  name_ = hash_.finish();
  return bytes;
}

Result<PackTrailer> parse_pack_trailer(std::string_view trailer, std::uint64_t pack_bytes) {
  if (trailer.size() != kPackTrailerBytes || pack_bytes > kMaxPackBytes ||
      trailer.substr(kPackTrailerBytes - 8, 7) != kEndMagic) {
    return damaged("no trailer");
  }
  if (trailer.back() != kPackFormat) {
    return Error{Code::unsupported, "a pack of another format: a newer lazyvol can read it"};
  }
  base::ByteReader in(trailer);
  PackTrailer result;
  result.index_hash = Digest::from(in.raw(32));
  result.index_offset = static_cast<std::uint32_t>(in.little(4));
  result.frames = static_cast<std::uint32_t>(in.little(4));
  const std::uint8_t kind = in.byte();
  const std::uint64_t index_bytes = std::uint64_t{result.frames} * kIndexRow;
  if (kind < 1 || kind > 2 || result.frames > kMaxPackFrames ||
      result.index_offset < kPackHeaderBytes ||
      result.index_offset + index_bytes + kPackTrailerBytes != pack_bytes) {
    return damaged("a trailer that does not fit it");
  }
  result.kind = static_cast<PackKind>(kind);
  result.index_bytes = static_cast<std::uint32_t>(index_bytes);
  return result;
}

Result<std::vector<FrameRef>> parse_pack_index(const Digest& pack, const PackTrailer& trailer,
                                               std::string_view index) {
  if (index.size() != trailer.index_bytes || sha256(index) != trailer.index_hash) {
    return damaged("another index than its trailer has");
  }
  std::vector<FrameRef> frames;
  base::ByteReader in(index);
  std::uint64_t offset = kPackHeaderBytes;
  while (!in.at_end()) {
    FrameRef frame;
    frame.pack = pack;
    frame.offset = static_cast<std::uint32_t>(offset);
    frame.stored = static_cast<std::uint32_t>(in.little(4));
    frame.raw = static_cast<std::uint32_t>(in.little(4));
    const std::string_view hash = in.raw(32);
    if (in.failed()) return damaged("a torn index");
    frame.hash = Digest::from(hash);
    LAZYVOL_TRY(check_frame_ref(frame));
    offset += frame.stored;
    if (offset > trailer.index_offset) return damaged("frames past their end");
    frames.push_back(frame);
  }
  if (offset != trailer.index_offset) return damaged("bytes that are in no frame");
  return frames;
}

Result<std::vector<FrameRef>> verify_pack(const Digest& pack, std::string_view bytes) {
  if (bytes.size() < kPackHeaderBytes + kPackTrailerBytes) return damaged("too few bytes");
  LAZYVOL_TRY_ASSIGN(
      const PackTrailer trailer,
      parse_pack_trailer(bytes.substr(bytes.size() - kPackTrailerBytes), bytes.size()));
  if (bytes.substr(0, kPackHeaderBytes) != header_of(trailer.kind)) return damaged("no header");
  LAZYVOL_TRY_ASSIGN(
      const std::vector<FrameRef> frames,
      parse_pack_index(pack, trailer, bytes.substr(trailer.index_offset, trailer.index_bytes)));
  for (const FrameRef& frame : frames) {
    if (sha256(bytes.substr(frame.offset, frame.stored)) != frame.hash) {
      return damaged("a damaged frame at " + std::to_string(frame.offset));
    }
  }
  if (sha256(bytes) != pack) return damaged("bytes that are not those of its name");
  return frames;
}

}  // namespace lazyvol::catalog
