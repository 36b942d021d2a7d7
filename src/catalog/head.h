// The head of a published volume: the one small object that changes. docs/format.md, "Head".
//
// Thread rule: values and pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog_build.h"
#include "catalog/digest.h"
#include "catalog/entry.h"
#include "catalog/signing_key.h"
#include "catalog/splitter.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

inline constexpr std::uint32_t kHeadFormat = 1;
/// A head of more bytes is refused.
inline constexpr std::size_t kMaxHeadBytes = 1U << 20;

/// Where the present head lies in its volume, and where that of a revision does.
inline constexpr std::string_view kHeadPath = "lazyvol-head";
std::string revision_path(std::uint64_t sequence);

/// Random, chosen when a volume is first published.
using VolumeUuid = std::array<std::uint8_t, 16>;
VolumeUuid random_uuid();

/// What a revision holds, for people and for defaults. Nothing else relies on it.
struct Statistics {
  std::uint64_t files = 0, directories = 0, symlinks = 0;
  std::uint64_t small_files = 0;   ///< files of up to 64 KiB
  std::uint64_t bytes = 0;         ///< sum of the files' sizes
  std::uint64_t stored_bytes = 0;  ///< of all packs that the revision needs
  bool operator==(const Statistics&) const = default;
};

/// The root directory, which has no name and so no entry.
struct RootDirectory {
  std::uint32_t mode = 0755;  ///< permission bits
  std::uint32_t uid = 0, gid = 0;
  std::int64_t mtime_ns = 0;
  std::vector<Xattr> xattrs{};  ///< as an entry's
  bool operator==(const RootDirectory&) const = default;
};

/// A pack of what a start reads first, in order: worth fetching whole at mount. Its frames are
/// found by its index, and proved by its name.
struct HotPack {
  Digest pack;
  std::uint32_t bytes = 0;  ///< of the pack
  bool operator==(const HotPack&) const = default;
};
inline constexpr std::size_t kMaxHotPacks = 16;

struct Head {
  VolumeUuid volume{};
  std::uint64_t sequence = 0;  ///< from 1, greater with each revision
  Digest parent;               ///< SHA-256 of the parent's document; zeros when there is none
  std::int64_t created_ns = 0;
  std::int64_t expires_ns = 0;  ///< 0 = never
  std::uint64_t next_id = 2;    ///< the least id that was never given out
  RootDirectory root;
  Chunking chunking;
  std::uint32_t frame_target = 128 * 1024;  ///< bytes that small files are bundled to
  Statistics statistics;
  std::vector<HotPack> hot_packs;  ///< at most kMaxHotPacks
  Roots roots;
  bool operator==(const Head&) const = default;
};

/// A head with what proves it.
struct HeadDocument {
  Head head;
  Digest digest;                    ///< SHA-256 of the whole document
  std::optional<PublicKey> signer;  ///< nothing: the head is not signed
  bool operator==(const HeadDocument&) const = default;
};

/// The document to publish, signed with `key` if there is one. Errors: invalid_argument, too_large.
Result<std::string> encode_head(const Head& head, const SecretKey* key);

/// Reads a document and verifies it against itself: the signature by the key that it names, or,
/// when it has none, a checksum. Whether that key is the right one is for check_signer(). Errors:
/// unsupported for another format, before anything else is looked at; corrupt.
Result<HeadDocument> parse_head(std::string_view document);

}  // namespace lazyvol::catalog
