// Keys of the catalog's two trees, as bytes whose order is the tree's order. docs/format.md,
// "Keys".
//
// Thread rule: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lazyvol/entry.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

/// 8 bytes of a number and a name.
inline constexpr std::size_t kMaxKey = 8 + kMaxName;

/// Where a name stands.
struct Place {
  NodeId directory = 0;
  std::string name;
  bool operator==(const Place&) const = default;
};

/// The tree of names: the directory, most significant byte first, and the name. The name may be
/// empty: before all names of the directory.
std::string name_key(NodeId directory, std::string_view name);
/// Errors: corrupt, for what is not the key of a valid name.
Result<Place> parse_name_key(std::string_view key);

/// The tree of ids: the id, most significant byte first.
std::string id_key(NodeId id);

/// The least key that is greater than `key`.
std::string key_after(std::string_view key);

}  // namespace lazyvol::catalog
