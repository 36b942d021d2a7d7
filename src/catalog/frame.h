// A frame: some bytes, compressed, that are fetched and verified as one. docs/format.md, "Frames".
//
// Everything a published volume holds lies in frames: contents, file maps, pages of the catalog.
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "catalog/digest.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

/// The most bytes that a frame holds before compression: twice the largest chunk.
inline constexpr std::uint32_t kMaxFrameRaw = 8U << 20;

/// Where a frame is, and what proves it.
struct FrameRef {
  Digest pack;               ///< the pack's name
  std::uint32_t offset = 0;  ///< of the first byte in the pack
  std::uint32_t stored = 0;  ///< bytes in the pack
  std::uint32_t raw = 0;     ///< bytes after decompression; equal to `stored`: not compressed
  Digest hash;               ///< SHA-256 of the bytes as they are stored
  auto operator<=>(const FrameRef&) const = default;
};

/// Errors: corrupt when no frame can look like this (lengths of zero, of more than kMaxFrameRaw, a
/// compressed form that is the longer one, an end past 4 GiB).
Status check_frame_ref(const FrameRef& ref);

/// A frame that has no place yet.
struct EncodedFrame {
  std::string bytes;  ///< to be stored
  std::uint32_t raw = 0;
  Digest hash;
  FrameRef at(const Digest& pack, std::uint32_t offset) const;
};

/// Compresses with zstd at `level` (1..19), or keeps the bytes as they are when that saves less
/// than 3 %. Equal input gives equal output for one version of libzstd. Errors: invalid_argument
/// (nothing, or a level that there is not), too_large.
Result<EncodedFrame> encode_frame(std::string_view raw, int level);

/// The bytes that were encoded. `stored` is verified against `ref` before anything else is done
/// with it, and never more than `ref.raw` bytes are made of it. Errors: corrupt.
Result<std::string> decode_frame(const FrameRef& ref, std::string_view stored);

/// The two halves of it, for who must know which one failed: whether `stored` are the bytes that
/// `ref` names; and what is in them once that is known, without a copy when they are not
/// compressed. Errors: corrupt.
bool is_frame(const FrameRef& ref, std::string_view stored);
Result<std::string> unpack_frame(const FrameRef& ref, std::string stored);

/// zstd without a hash, for bytes that something else vouches for (the pages inside of a head).
/// The rule of 3 % holds: the result is as long as `raw` when it is not compressed.
Result<std::string> compress(std::string_view raw, int level);
/// Errors: corrupt when `stored` does not decompress to exactly `raw` bytes.
Result<std::string> decompress(std::string_view stored, std::size_t raw);

}  // namespace lazyvol::catalog
