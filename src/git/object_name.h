// The names by which a git mount's catalog calls its objects.
//
// A blob's is its id; a git-lfs object's is "lfs-OID-SIZE". For a repository other than SOURCE the
// number of the remote stands before it: "2-<id>". Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "git/lfs_pointer.h"

namespace lazyvol::git {

struct ObjectPlace {
  std::uint16_t remote = 0;
  std::string id;
};
std::string object_name(std::uint16_t remote, std::string_view id);
/// The way back. nullopt for anything else.
std::optional<ObjectPlace> parse_object_name(std::string_view name);

struct LfsPlace {
  std::uint16_t remote = 0;
  LfsPointer object;
};
std::string lfs_object_name(std::uint16_t remote, const LfsPointer& object);
/// The way back. nullopt for anything else.
std::optional<LfsPlace> parse_lfs_object_name(std::string_view name);

}  // namespace lazyvol::git
