// Rows of the index that describe object files, and the cache's own row. All numbers little endian
// in values, big endian in keys (so that they sort). docs/cache.md, "Blocks".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/content.h"

namespace lazyvol::cache {

inline constexpr std::uint32_t kGroupBlocks = 64;  ///< blocks described by one row

/// Keyspace::objects, under the 16 bytes of the content key.
struct ObjectRow {
  std::uint64_t id = 0;    ///< names the file; never used again for another content
  std::uint64_t size = 0;  ///< of the content
  bool operator==(const ObjectRow&) const = default;
};
std::string encode_object_row(const ObjectRow& row);
/// nullopt for bytes that are no such row (another version, cut short).
std::optional<ObjectRow> decode_object_row(std::string_view value);

/// Keyspace::blocks, under object id (8 B) and group (4 B).
struct GroupRow {
  model::ContentKey content;
  std::uint64_t last_use_ms = 0;
  bool is_protected = false;
  std::uint64_t present = 0;                       ///< bit i: block group * 64 + i is there
  std::array<std::uint64_t, kGroupBlocks> sums{};  ///< XXH3-64 of each that is present
};
std::string encode_group_row(const GroupRow& row);
std::optional<GroupRow> decode_group_row(std::string_view value);

std::string group_key(std::uint64_t object, std::uint32_t group);
/// All rows of one object start with this.
std::string group_prefix(std::uint64_t object);
struct GroupName {
  std::uint64_t object = 0;
  std::uint32_t group = 0;
};
std::optional<GroupName> decode_group_key(std::string_view key);

/// What the cache knows of itself; one row in Keyspace::objects under kMetaKey, rewritten with
/// every batch, so that its sums always agree with the rows.
struct MetaRow {
  std::uint64_t next_object = 1, next_slab = 1;
  std::uint64_t object_bytes = 0;     ///< of all blocks in group rows, in whole pages
  std::uint64_t protected_bytes = 0;  ///< of those in protected groups
  std::uint64_t objects = 0;          ///< rows of objects
  bool clean = false;                 ///< closed in order: the files hold what the rows say
  bool operator==(const MetaRow&) const = default;

  /// Takes a change of group rows into account; never below 0.
  void count(std::int64_t bytes, std::int64_t of_protected);
};
/// No content key looks like this: those are 16 bytes.
extern const std::string_view kMetaKey;
std::string encode_meta_row(const MetaRow& row);
std::optional<MetaRow> decode_meta_row(std::string_view value);

}  // namespace lazyvol::cache
