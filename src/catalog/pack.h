// Packs: the objects that frames lie in. docs/format.md, "Packs".
//
// A pack is named by the SHA-256 of its bytes, so whoever mirrors a volume can check it with
// sha256sum, and writing a pack again changes nothing. An index at its end lists the frames, for
// verify and gc; readers go by references and never need it. Thread rule: a PackBuilder belongs to
// one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/digest.h"
#include "catalog/frame.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

/// A pack that has reached this is closed.
inline constexpr std::uint32_t kPackTarget = 64U << 20;
/// No pack is longer, nor has more frames.
inline constexpr std::uint32_t kMaxPackBytes = 1U << 30;
inline constexpr std::uint32_t kMaxPackFrames = 1U << 20;
inline constexpr std::uint32_t kPackHeaderBytes = 16;
inline constexpr std::uint32_t kPackTrailerBytes = 64;

enum class PackKind : std::uint8_t { data = 1, metadata = 2 };

/// "packs/ab/abcdef…": where a pack lies in its volume.
std::string pack_path(const Digest& pack);

/// Makes the bytes of one pack, for a caller that writes them somewhere in the order they come.
class PackBuilder {
 public:
  explicit PackBuilder(PackKind kind);

  /// The bytes that come before the first frame.
  std::string begin();
  /// Says where in the pack `frame.bytes` go: write them next. Errors: too_large when the pack is
  /// full.
  Result<std::uint32_t> add(const EncodedFrame& frame);
  /// The bytes after the last frame. The name is known then.
  std::string finish();
  const Digest& name() const { return name_; }

  std::uint32_t size() const { return size_; }
  std::size_t frames() const { return frames_.size(); }
  bool is_full() const { return size_ >= kPackTarget; }

 private:
  void count(std::string_view bytes);

  PackKind kind_;
  Sha256 hash_;
  std::uint32_t size_ = 0;
  Digest name_;
  std::vector<FrameRef> frames_;
};

/// What the last kPackTrailerBytes of a pack say.
struct PackTrailer {
  PackKind kind = PackKind::data;
  std::uint32_t frames = 0;
  std::uint32_t index_offset = 0, index_bytes = 0;
  Digest index_hash;
};
/// `pack_bytes` is the length of the whole pack. Errors: corrupt; unsupported for a later format.
Result<PackTrailer> parse_pack_trailer(std::string_view trailer, std::uint64_t pack_bytes);

/// The frames of a pack in the order of their offsets, from the bytes that the trailer points to.
/// Errors: corrupt.
Result<std::vector<FrameRef>> parse_pack_index(const Digest& pack, const PackTrailer& trailer,
                                               std::string_view index);

/// Verifies a whole pack: name, header, index, the hash of each frame. Errors: corrupt,
/// unsupported.
Result<std::vector<FrameRef>> verify_pack(const Digest& pack, std::string_view bytes);

}  // namespace lazyvol::catalog
