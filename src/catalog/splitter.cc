#include "catalog/splitter.h"

#include <xxhash.h>

namespace lazyvol::catalog {
namespace {

// Integers only: a boundary must be the same on every machine, and libm's last bit is not.
__extension__ using Wide = unsigned __int128;

Wide fourth_power(std::uint64_t x) {
  return Wide{x} * x * x * x;
}

}  // namespace

Status check_chunking(const Chunking& chunking) {
  for (const unsigned log2 : {chunking.leaf_log2, chunking.interior_log2}) {
    if (log2 < 10 || log2 > 16) {
      return Error{Code::invalid_argument, "pages have a scale of 1 KiB to 64 KiB"};
    }
  }
  return {};
}

Splitter::Splitter(Tree tree, unsigned level, const Chunking& chunking)
    : seed_(std::uint64_t{static_cast<std::uint8_t>(tree)} << 8 | level),
      log2_(chunking.log2_of(level)) {}

bool Splitter::ends_with(std::string_view key, std::size_t weight) {
  const std::uint64_t before = size_;
  size_ += weight;
  ++rows_;
  bool ends = false;
  if (size_ >= std::uint64_t{2} << log2_) {
    ends = true;
  } else if (rows_ >= 2 && size_ >= std::uint64_t{1} << (log2_ - 2)) {
    // Two rows at least, or a level might never get smaller than the one below it.
    // Hazard between two sizes: (after/scale)^4 - (before/scale)^4, as a fraction of 2^64.
    const Wide threshold = (fourth_power(size_) - fourth_power(before)) << (64 - 4 * log2_);
    ends = threshold > UINT64_MAX || XXH3_64bits_withSeed(key.data(), key.size(), seed_) <
                                         static_cast<std::uint64_t>(threshold);
  }
  if (ends) size_ = rows_ = 0;
  return ends;
}

}  // namespace lazyvol::catalog
