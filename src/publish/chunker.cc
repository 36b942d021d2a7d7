#include "publish/chunker.h"

#include <algorithm>
#include <array>
#include <bit>

namespace lazyvol::publish {
namespace {

constexpr std::array<std::uint64_t, 256> make_gear() {
  std::array<std::uint64_t, 256> table{};
  std::uint64_t state = 0x6c617a79766f6c31;  // "lazyvol1"
  for (std::uint64_t& value : table) {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    value = mixed ^ (mixed >> 31);
  }
  return table;
}
constexpr std::array<std::uint64_t, 256> kGear = make_gear();

// The highest bits depend on the most bytes (64).
std::uint64_t mask_of(int bits) {
  return ((std::uint64_t{1} << bits) - 1) << (64 - bits);
}

// From `at` on, the first position below `end` behind which the hash has no bit of `mask`.
bool find(std::string_view bytes, std::size_t& at, std::size_t end, std::uint64_t mask,
          std::uint64_t& hash) {
  std::uint64_t value = hash;
  for (std::size_t i = at; i < end; ++i) {
    value = (value << 1) + kGear[static_cast<unsigned char>(bytes[i])];
    if ((value & mask) == 0) {
      at = i + 1;
      return true;
    }
  }
  at = end;
  hash = value;
  return false;
}

}  // namespace

ChunkSizes chunk_sizes(std::uint64_t file_size, Chunks chunks) {
  constexpr std::uint32_t kKiB = 1024;
  if (chunks == Chunks::fixed) return {kFixedChunk, kFixedChunk, kFixedChunk};
  if (file_size >= base::kGiB) return {256 * kKiB, 1024 * kKiB, 4096 * kKiB};
  if (chunks == Chunks::fine) return {16 * kKiB, 64 * kKiB, 256 * kKiB};
  return {64 * kKiB, 256 * kKiB, 1024 * kKiB};
}

Chunker::Chunker(const ChunkSizes& sizes)
    : sizes_(sizes),
      before_normal_(mask_of(std::countr_zero(sizes.normal) + 2)),
      after_normal_(mask_of(std::countr_zero(sizes.normal) - 2)) {}

std::size_t Chunker::cut(std::string_view bytes) const {
  if (bytes.size() <= sizes_.least) return bytes.size();
  const std::size_t end = std::min<std::size_t>(bytes.size(), sizes_.most);
  const std::size_t normal = std::min<std::size_t>(end, sizes_.normal);
  std::size_t at = sizes_.least;
  std::uint64_t hash = 0;
  if (!find(bytes, at, normal, before_normal_, hash)) find(bytes, at, end, after_normal_, hash);
  return at;
}

}  // namespace lazyvol::publish
