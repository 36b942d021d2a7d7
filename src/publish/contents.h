// The contents of the files that were read, until the catalog is made of them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/digest.h"
#include "publish/state.h"

namespace lazyvol::publish {

/// Bytes of a frame, or a hole. 16 bytes each: a tree of 100 GB has a million.
struct FilePiece {
  static constexpr std::uint32_t kHole = UINT32_MAX;
  std::uint64_t length = 0;
  std::uint32_t frame = kHole;  ///< its number in FramePlaces
  std::uint32_t offset = 0;
};

/// What was read of one file.
struct FileContent {
  std::uint64_t begin = 0;  ///< of its pieces, or of its bytes when it is short
  std::uint32_t count = 0;  ///< pieces, or bytes
  bool is_inline = false;
  bool has_holes = false;
  bool settled = false;
  Fingerprint fingerprint{};
};

/// Thread rule: plain data; whoever changes it has it alone.
struct Contents {
  std::vector<FileContent> files;
  std::vector<FilePiece> pieces;
  std::string bytes;  ///< of short files

  std::span<const FilePiece> pieces_of(const FileContent& file) const {
    return {pieces.data() + file.begin, file.is_inline ? 0U : file.count};
  }
  std::string_view inline_of(const FileContent& file) const {
    return std::string_view(bytes).substr(file.begin, file.count);
  }
};

/// Identifies the bytes of a file by its chunks and holes. Two files of equal bytes that were cut
/// differently have different fingerprints; unequal ones never have the same.
class ContentFingerprint {
 public:
  void chunk(const catalog::Digest& digest, std::uint64_t length);
  void hole(std::uint64_t length);
  /// The object is of no use afterwards.
  Fingerprint finish();

 private:
  void part(char kind, std::uint64_t length, std::string_view digest);
  catalog::Sha256 hash_;
};
/// Of a symbolic link.
Fingerprint target_fingerprint(std::string_view target);

}  // namespace lazyvol::publish
