#include "cache/slab_format.h"

#include <xxhash.h>

#include "cache/block_cache_bytes.h"

namespace lazyvol::cache {
namespace {

constexpr std::uint64_t kRowVersion = 1;
constexpr std::string_view kFooterMagic = "lvslabF1";
constexpr std::size_t kEntryBytes = 32;
constexpr std::size_t kTrailerBytes = 32;

std::uint64_t footer_sum(std::string_view entries, std::uint64_t slab) {
  return XXH3_64bits_withSeed(entries.data(), entries.size(), slab);
}

}  // namespace

const std::string_view kSlabListPrefix("\0\0\0\0\0\0\0\0S", 9);

SlabKey slab_key(const model::ContentKey& content, std::uint64_t block) {
  std::string text(content.view());
  put_little(text, block, 8);
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(text.data(), text.size()));
  SlabKey key;
  static_assert(sizeof canonical.digest == sizeof key.bytes);
  std::memcpy(key.bytes.data(), canonical.digest, key.bytes.size());
  return key;
}

std::string encode_slab_location(const SlabLocation& at) {
  std::string out;
  put_little(out, kRowVersion, 1);
  put_little(out, at.slab, 8);
  put_little(out, at.offset, 4);
  put_little(out, at.length, 4);
  put_little(out, at.sum, 8);
  return out;
}

std::optional<SlabLocation> decode_slab_location(std::string_view value) {
  ByteReader reader(value);
  const std::uint64_t version = reader.little(1);
  const SlabLocation at{.slab = reader.little(8),
                        .offset = static_cast<std::uint32_t>(reader.little(4)),
                        .length = static_cast<std::uint32_t>(reader.little(4)),
                        .sum = reader.little(8)};
  if (!reader.done() || version != kRowVersion || at.length > model::kBlockSize)
    return std::nullopt;
  return at;
}

std::string slab_list_key(std::uint64_t slab) {
  std::string out(kSlabListPrefix);
  put_big(out, slab, 8);
  return out;
}

std::optional<std::uint64_t> decode_slab_list_key(std::string_view key) {
  ByteReader reader(key);
  const bool ours = reader.bytes(kSlabListPrefix.size()) == kSlabListPrefix;
  const std::uint64_t slab = reader.big(8);
  if (!reader.done() || !ours) return std::nullopt;
  return slab;
}

std::string encode_slab_row(const SlabRow& row) {
  std::string out;
  put_little(out, kRowVersion, 1);
  put_little(out, row.sealed ? 1 : 0, 1);
  put_little(out, row.bytes, 8);
  put_little(out, row.last_append_ms, 8);
  return out;
}

std::optional<SlabRow> decode_slab_row(std::string_view value) {
  ByteReader reader(value);
  const std::uint64_t version = reader.little(1);
  SlabRow row;
  row.sealed = reader.little(1) == 1;
  row.bytes = reader.little(8);
  row.last_append_ms = reader.little(8);
  if (!reader.done() || version != kRowVersion) return std::nullopt;
  return row;
}

std::string encode_slab_footer(std::uint64_t slab, std::uint64_t offset,
                               const std::vector<SlabEntry>& entries) {
  std::string out;
  out.reserve(entries.size() * kEntryBytes + kTrailerBytes);
  for (const auto& entry : entries) {
    out.append(entry.key.view());
    put_little(out, entry.at.offset, 4);
    put_little(out, entry.at.length, 4);
    put_little(out, entry.at.sum, 8);
  }
  const std::uint64_t sum = footer_sum(out, slab);
  out.append(kFooterMagic);
  put_little(out, entries.size(), 8);
  put_little(out, offset, 8);
  put_little(out, sum, 8);
  return out;
}

Result<std::vector<SlabEntry>> read_slab_footer(const CacheFile& file, std::uint64_t slab) {
  const Error bad{Code::corrupt, "slab " + std::to_string(slab) + " has no footer"};
  LAZYVOL_TRY_ASSIGN(const std::uint64_t size, file.size());
  if (size < kTrailerBytes) return bad;
  std::string trailer(kTrailerBytes, '\0');
  LAZYVOL_TRY(file.read_at(size - kTrailerBytes, std::as_writable_bytes(std::span(trailer))));
  ByteReader reader(trailer);
  const bool magic = reader.bytes(kFooterMagic.size()) == kFooterMagic;
  const std::uint64_t count = reader.little(8);
  const std::uint64_t offset = reader.little(8);
  const std::uint64_t sum = reader.little(8);
  if (!magic || count > size / kEntryBytes ||
      offset + count * kEntryBytes + kTrailerBytes != size) {
    return bad;
  }
  std::string bytes(count * kEntryBytes, '\0');
  LAZYVOL_TRY(file.read_at(offset, std::as_writable_bytes(std::span(bytes))));
  if (footer_sum(bytes, slab) != sum) return bad;
  std::vector<SlabEntry> entries(count);
  ByteReader list(bytes);
  for (auto& entry : entries) {
    const std::string_view key = list.bytes(entry.key.bytes.size());
    std::memcpy(entry.key.bytes.data(), key.data(), key.size());
    entry.at.slab = slab;
    entry.at.offset = static_cast<std::uint32_t>(list.little(4));
    entry.at.length = static_cast<std::uint32_t>(list.little(4));
    entry.at.sum = list.little(8);
  }
  return entries;
}

}  // namespace lazyvol::cache
