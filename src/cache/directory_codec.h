// How a directory is packed into values of the index. The format: docs/cache.md, "Packing".
//
// Everything here is pure. Decoding takes any bytes: what was not written by the encoder of this
// version gives Code::corrupt, and never costs more than the size of the input.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "cache/tree_store.h"
#include "lazyvol/error.h"

namespace lazyvol::cache {

inline constexpr std::uint8_t kDirectoryFormat = 1;
/// A chunk is closed when it has reached this; an update may let it grow to twice as much.
inline constexpr std::size_t kChunkTargetBytes = 16 * 1024;
/// The longest validator or token that is stored.
inline constexpr std::size_t kMaxStoredText = 4096;

/// Whether `entry` can be stored. Errors: invalid_argument (its name, type or id), too_large (its
/// validator, token or symlink target).
Status check_storable(const StoredEntry& entry);

/// Packs entries, which must be storable and come in strictly rising order of names.
class ChunkEncoder {
 public:
  ChunkEncoder();
  void add(const StoredEntry& entry);
  std::size_t size() const { return out_.size(); }
  bool empty() const { return empty_; }
  const std::string& first_name() const { return first_name_; }
  /// The value; the encoder is empty afterwards.
  std::string take();

 private:
  void add_name(std::string_view name);

  base::ByteWriter out_;
  bool empty_ = true;
  std::string first_name_, last_name_;
  NodeId last_id_ = 0;
  std::int64_t last_mtime_ = 0;
};

/// Walks the entries of a chunk without copying more than the current name.
class ChunkCursor {
 public:
  /// `chunk` must outlive the cursor.
  explicit ChunkCursor(std::string_view chunk);

  /// Moves to the next entry (the first at the first call). False at the end and at damage.
  bool next();
  /// Code::corrupt once damage was met.
  Status status() const;

  // The current entry; valid after next() answered true, until the next call of it.
  std::string_view name() const { return {name_.data(), name_length_}; }
  NodeId id() const { return id_; }
  NodeType type() const { return type_; }
  StoredEntry entry() const;

 private:
  bool read_name();
  bool read_fields();
  bool damage();

  base::ByteReader in_;
  bool damaged_ = false;
  bool first_ = true;
  std::array<char, kMaxName> name_{};
  std::size_t name_length_ = 0;
  NodeType type_ = NodeType::file;
  bool settled_ = true, listed_ = true;
  NodeId id_ = 0;
  std::int64_t mtime_base_ = 0;
  std::optional<std::uint64_t> size_;
  std::optional<std::int64_t> mtime_;
  std::optional<std::uint32_t> mode_, uid_, gid_;
  std::string_view symlink_target_, validator_, token_;
  std::int64_t stat_wall_ns_ = 0;
};

std::string encode_header(const DirectoryHeader& header);
Result<DirectoryHeader> decode_header(std::string_view value);

std::string encode_place(NodeId parent, std::string_view name);
Result<NodePlace> decode_place(std::string_view value);

}  // namespace lazyvol::cache
