// What the encoder and the reader of leaves share: the bits of a class's flags.
#pragma once

#include <cstdint>

namespace lazyvol::catalog::leaf_format {

inline constexpr std::uint8_t kTypeMask = 0x03;     ///< NodeType
inline constexpr std::uint8_t kContentMask = 0x4c;  ///< one of the five below
inline constexpr std::uint8_t kNoContent = 0x00;
inline constexpr std::uint8_t kInlineContent = 0x04;
inline constexpr std::uint8_t kPieceContent = 0x08;
inline constexpr std::uint8_t kMapContent = 0x0c;
inline constexpr std::uint8_t kObjectContent = 0x40;
inline constexpr std::uint8_t kAlias = 0x10;
inline constexpr std::uint8_t kXattrs = 0x20;
inline constexpr std::uint8_t kAllFlags = 0x7f;

inline constexpr std::int64_t kSecond = 1'000'000'000;

}  // namespace lazyvol::catalog::leaf_format
