// An entry of a published volume: one name of a directory and all that is known of it.
//
// Thread rule: values and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "catalog/frame.h"
#include "lazyvol/entry.h"
#include "lazyvol/error.h"
#include "model/content.h"

namespace lazyvol::catalog {

/// Contents up to this are worth keeping in the entry.
inline constexpr std::size_t kMaxInline = 96;
/// More pieces than this make a file map: about 1 KB of leaf.
inline constexpr std::size_t kMaxPieces = 24;
/// The most bytes of extended attributes, with 4 for each name and value.
inline constexpr std::size_t kMaxXattrBytes = 16 * 1024;
inline constexpr std::size_t kMaxXattrs = 256;
inline constexpr std::size_t kMaxObjectName = 120;
/// The size of a file of ObjectContent whose object nobody has measured yet.
inline constexpr std::uint64_t kUnknownSize = UINT64_MAX;

/// Bytes `offset` … `offset + length` of a frame, decompressed.
struct Piece {
  FrameRef frame;
  std::uint32_t offset = 0, length = 0;
  bool operator==(const Piece&) const = default;
};
/// The bytes themselves, 1 … kMaxInline of them.
struct InlineContent {
  std::string bytes;
  bool operator==(const InlineContent&) const = default;
};
/// The file is these, one after the other; 1 … kMaxPieces of them.
struct PieceContent {
  std::vector<Piece> pieces;
  bool operator==(const PieceContent&) const = default;
};
/// A file map (catalog/file_map.h) says where the bytes are. Files with holes have one, too.
struct MapContent {
  FrameRef map;
  bool operator==(const MapContent&) const = default;
};
/// The bytes are an object that the catalog's maker can get by this name, and that no frame holds:
/// a git blob. Only in catalogs that were made on this node; a published volume has none. A name
/// says which bytes, wherever it is used: equal names are equal bytes.
struct ObjectContent {
  std::string name;  ///< 1 … kMaxObjectName letters, digits, '-', '_', '.'; does not begin with '.'
  bool operator==(const ObjectContent&) const = default;
};
/// monostate: no content, as directories, symbolic links and empty files have it.
using Content =
    std::variant<std::monostate, InlineContent, PieceContent, MapContent, ObjectContent>;

struct Xattr {
  std::string name, value;
  bool operator==(const Xattr&) const = default;
};

/// One name. Names that are hard links to one file are entries with one id and the same attributes
/// and content, all but the first (by directory and name) with `alias`.
struct Entry {
  NodeId directory = 0;
  std::string name;  ///< valid_name()
  NodeId id = 0;     ///< kept for as long as the volume lives; root = 1 has no entry
  bool alias = false;
  NodeType type = NodeType::file;
  std::uint32_t mode = 0;  ///< permission bits, at most 07777
  std::uint32_t uid = 0, gid = 0;
  std::uint32_t nlink = 1;
  /// Of the content (kUnknownSize is possible for ObjectContent alone); of a link its target's
  /// length; 0 for a directory.
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::string symlink_target;  ///< 1 … kMaxPath bytes, without NUL; for symbolic links only
  std::vector<Xattr> xattrs;   ///< by strictly rising name
  Content content;
  bool operator==(const Entry&) const = default;
};

/// Whether `entry` can stand in a catalog. Errors: invalid_argument with a line that says what is
/// wrong.
Status check_entry(const Entry& entry);

/// The same for extended attributes: names, order, how many.
Status check_xattrs(const std::vector<Xattr>& xattrs);

/// Whether an object can have this name.
bool valid_object_name(std::string_view name) noexcept;

/// The identity of a file's bytes, for the block cache: 128 bits of SHA-256 over the frames'
/// hashes, offsets and lengths (not over where the frames lie). A cache serves volumes of several
/// publishers, who must not be able to make their bytes collide with another's: hence no XXH3, and
/// hence the raw lengths (the same stored bytes, taken for uncompressed, are other bytes) and the
/// size beside a map (which may say something else). An object's is made of its name alone.
/// docs/format.md, "Content keys".
model::ContentKey content_key(const Entry& file);

}  // namespace lazyvol::catalog
