// Names and rows of small contents, and the footer that lists what a slab holds.
// docs/cache.md, "Blocks". All numbers little endian, except in keys.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/block_cache_files.h"
#include "lazyvol/error.h"
#include "model/content.h"

namespace lazyvol::cache {

/// XXH3-128 of content key and block number: what a block is found by.
struct SlabKey {
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(const SlabKey&) const = default;
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  struct Hash {
    std::size_t operator()(const SlabKey& key) const noexcept {
      std::size_t out = 0;
      std::memcpy(&out, key.bytes.data(), sizeof out);
      return out;
    }
  };
};
SlabKey slab_key(const model::ContentKey& content, std::uint64_t block);

/// Where a block is. Keyspace::slabs, under the SlabKey.
struct SlabLocation {
  std::uint64_t slab = 0;
  std::uint32_t offset = 0, length = 0;
  std::uint64_t sum = 0;  ///< XXH3-64
  bool operator==(const SlabLocation&) const = default;
};
std::string encode_slab_location(const SlabLocation& at);
std::optional<SlabLocation> decode_slab_location(std::string_view value);

/// A slab in the list of slabs: Keyspace::slabs, under a key of another length than 16. Blocks of a
/// slab that is not in the list are not there.
struct SlabRow {
  std::uint64_t bytes = 0;  ///< of the file
  std::uint64_t last_append_ms = 0;
  bool sealed = false;  ///< has a footer
};
extern const std::string_view kSlabListPrefix;
std::string slab_list_key(std::uint64_t slab);
std::optional<std::uint64_t> decode_slab_list_key(std::string_view key);
std::string encode_slab_row(const SlabRow& row);
std::optional<SlabRow> decode_slab_row(std::string_view value);

struct SlabEntry {
  SlabKey key;
  SlabLocation at;
};
/// Records start at multiples of this.
inline constexpr std::uint64_t kSlabAlign = 64;
inline std::uint64_t slab_aligned(std::uint64_t bytes) {
  return (bytes + kSlabAlign - 1) / kSlabAlign * kSlabAlign;
}
/// The footer of a slab, to be written at `offset` as the end of its file.
std::string encode_slab_footer(std::uint64_t slab, std::uint64_t offset,
                               const std::vector<SlabEntry>& entries);
/// Reads the footer of a sealed slab. Errors: corrupt when there is none, or it is not this slab's.
Result<std::vector<SlabEntry>> read_slab_footer(const CacheFile& file, std::uint64_t slab);

}  // namespace lazyvol::cache
