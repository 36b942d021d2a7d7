// The identity of bytes, and how bytes are cut into blocks.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

namespace lazyvol::model {

/// Names one immutable sequence of bytes: 128 bits of XXH3 over (source, path, validator) for live
/// sources. Bytes under one key never change; a new validator is a new key.
struct ContentKey {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const ContentKey&) const = default;
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string hex() const;
};

/// The key of a live content. The parts are length-prefixed before hashing, so no two triples
/// collide by concatenation. XXH3-128
/// (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md).
ContentKey live_content_key(std::string_view source, std::string_view path,
                            std::string_view validator);

inline constexpr std::uint32_t kBlockSize = 64 * 1024;

/// A content of `size` bytes as blocks of kBlockSize, the last one shorter. Block numbers count
/// from 0.
struct BlockLayout {
  std::uint64_t size = 0;

  std::uint64_t count() const { return (size + kBlockSize - 1) / kBlockSize; }
  static std::uint64_t block_of(std::uint64_t offset) { return offset / kBlockSize; }
  static std::uint64_t offset_of(std::uint64_t block) { return block * kBlockSize; }
  /// Bytes in `block` < count().
  std::uint32_t length_of(std::uint64_t block) const {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(kBlockSize, size - offset_of(block)));
  }
};

}  // namespace lazyvol::model

template <>
struct std::hash<lazyvol::model::ContentKey> {
  std::size_t operator()(const lazyvol::model::ContentKey& key) const noexcept {
    std::size_t out = 0;  // the bytes are a hash already
    std::memcpy(&out, key.bytes.data(), sizeof out);
    return out;
  }
};
