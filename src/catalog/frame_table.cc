#include "catalog/frame_table.h"

namespace lazyvol::catalog {
namespace {

constexpr std::size_t kDigestBytes = 32;

Error damaged() {
  return {Code::corrupt, "a damaged frame table"};
}

}  // namespace

FrameTable::FrameTable(base::ByteReader& in) {
  const std::uint64_t packs = in.number();
  if (packs > in.left() / kDigestBytes) in.fail();
  packs_ = in.raw(packs * kDigestBytes);
  const std::uint64_t frames = in.number();
  // Each frame has a hash here: a count that is too large is no reason to reserve anything.
  if (frames > in.left() / kDigestBytes) in.fail();
  const std::size_t count = in.failed() ? 0 : frames;
  pack_ = Column(in, count);
  gap_ = Column(in, count);
  stored_ = Column(in, count);
  raw_ = Column(in, count);
  hashes_ = in.raw(count * kDigestBytes);
  if (in.failed()) *this = FrameTable();
}

Result<FrameRef> FrameTable::at(std::uint64_t index) const {
  if (index >= size()) return damaged();
  // Frames mostly follow each other in their pack, so a row says how far it is from that.
  std::uint64_t offset = 0;
  for (std::size_t i = index / kRestart * kRestart; i <= index; ++i) {
    const bool follows = i % kRestart != 0 && pack_.at(i) == pack_.at(i - 1);
    offset = (follows ? offset + stored_.number(i - 1) : 0) + gap_.number(i);
  }
  const std::uint64_t pack = pack_.number(index);
  const std::uint64_t stored = stored_.number(index), raw = raw_.number(index);
  if (pack >= packs_.size() / kDigestBytes || offset > UINT32_MAX || stored > UINT32_MAX ||
      raw > UINT32_MAX) {
    return damaged();
  }
  const FrameRef ref{.pack = Digest::from(packs_.substr(pack * kDigestBytes, kDigestBytes)),
                     .offset = static_cast<std::uint32_t>(offset),
                     .stored = static_cast<std::uint32_t>(stored),
                     .raw = static_cast<std::uint32_t>(raw),
                     .hash = Digest::from(hashes_.substr(index * kDigestBytes, kDigestBytes))};
  LAZYVOL_TRY(check_frame_ref(ref));
  return ref;
}

std::uint32_t FrameTableWriter::add(const FrameRef& ref) {
  const auto [at, fresh] = numbers_.try_emplace(ref, static_cast<std::uint32_t>(frames_.size()));
  if (fresh) frames_.push_back(ref);
  return at->second;
}

std::uint32_t FrameTableWriter::append(const FrameRef& ref) {
  frames_.push_back(ref);
  return static_cast<std::uint32_t>(frames_.size() - 1);
}

void FrameTableWriter::write(base::ByteWriter& out) const {
  std::unordered_map<Digest, std::int64_t, DigestHash> packs;
  std::vector<Digest> pack_names;
  std::vector<std::int64_t> pack, gap, stored, raw;
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    const FrameRef& ref = frames_[i];
    const auto [at, fresh] = packs.try_emplace(ref.pack, pack_names.size());
    if (fresh) pack_names.push_back(ref.pack);
    const bool follows = i % kRestart != 0 && at->second == pack.back();
    const std::int64_t expected =
        follows ? std::int64_t{frames_[i - 1].offset} + frames_[i - 1].stored : 0;
    pack.push_back(at->second);
    gap.push_back(std::int64_t{ref.offset} - expected);
    stored.push_back(ref.stored);
    raw.push_back(ref.raw);
  }
  out.number(pack_names.size());
  for (const Digest& name : pack_names) out.raw(name.view());
  out.number(frames_.size());
  for (const auto* column : {&pack, &gap, &stored, &raw}) write_column(out, *column);
  for (const FrameRef& ref : frames_) out.raw(ref.hash.view());
}

}  // namespace lazyvol::catalog
