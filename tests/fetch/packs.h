// Packs to fetch frames from.
#pragma once

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "catalog/pack.h"
#include "catalog/page_store.h"

namespace lazyvol::fetch::testing {

/// A whole pack and what is in it.
struct Pack {
  std::string path, bytes;
  std::vector<catalog::FrameRef> frames;
  std::vector<std::string> raw;  ///< of the frames
  std::uint64_t stored() const {
    std::uint64_t sum = 0;
    for (const auto& frame : frames) sum += frame.stored;
    return sum;
  }
};

/// Packs the frames side by side, in their order. Aborts on what cannot be packed.
inline Pack make_pack(std::vector<std::string> raw,
                      catalog::PackKind kind = catalog::PackKind::data, int level = 1) {
  catalog::PackBuilder builder(kind);
  Pack pack;
  pack.bytes = builder.begin();
  std::vector<std::pair<catalog::EncodedFrame, std::uint32_t>> placed;
  for (const std::string& bytes : raw) {
    auto frame = catalog::encode_frame(bytes, level);
    if (!frame.ok()) std::abort();
    const auto offset = builder.add(*frame);
    if (!offset.ok()) std::abort();
    pack.bytes += frame->bytes;
    placed.emplace_back(*std::move(frame), *offset);
  }
  pack.bytes += builder.finish();
  for (const auto& [frame, offset] : placed) {
    pack.frames.push_back(frame.at(builder.name(), offset));
  }
  pack.path = catalog::pack_path(builder.name());
  pack.raw = std::move(raw);
  return pack;
}

/// Writes pages (or maps) into packs, one for each level.
class PackedPages final : public catalog::PageWriter {
 public:
  Status write(std::string page) override {
    waiting_.push_back(std::move(page));
    return {};
  }
  Result<std::vector<catalog::FrameRef>> seal() override {
    packs.push_back(make_pack(std::exchange(waiting_, {}), catalog::PackKind::metadata));
    return packs.back().frames;
  }
  std::vector<Pack> packs;

 private:
  std::vector<std::string> waiting_;
};

/// Text that zstd makes about a third of.
inline std::string compressible(std::size_t size, std::uint64_t seed) {
  std::string text;
  std::uint64_t x = seed * 0x9E3779B97F4A7C15ULL + 1;
  while (text.size() < size) {
    x = (x ^ (x >> 29)) * 0xBF58476D1CE4E5B9ULL + seed;
    text += "word" + std::to_string(x % 9973) + " of many; ";
  }
  text.resize(size);
  return text;
}

}  // namespace lazyvol::fetch::testing
