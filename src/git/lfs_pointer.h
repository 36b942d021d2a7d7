// What git-lfs commits in place of a long file: its pointer.
//
// Source: git-lfs, docs/spec.md ("The Pointer"), version 1. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lazyvol::git {

/// A blob of so many bytes or more is no pointer.
inline constexpr std::size_t kLfsPointerBytes = 1024;
/// A pointer to a longer object is taken for a file like any other: 16 TiB.
inline constexpr std::uint64_t kMaxLfsSize = 1ULL << 44;

struct LfsPointer {
  std::string oid;  ///< SHA-256 of the object's bytes, 64 hexadecimal digits, lower case
  std::uint64_t size = 0;
  bool operator==(const LfsPointer&) const = default;
};

bool is_lfs_oid(std::string_view text);
/// Decimal digits as git-lfs writes them, up to kMaxLfsSize.
std::optional<std::uint64_t> parse_lfs_size(std::string_view text);

/// Exactly the lines version, oid and size. nullopt for anything else, also for a pointer with
/// extensions: its object is not what the file holds until their programs have run.
std::optional<LfsPointer> parse_lfs_pointer(std::string_view blob);

}  // namespace lazyvol::git
