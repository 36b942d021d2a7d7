#include "git/object_name.h"

#include <charconv>

#include "git/object_id.h"

namespace lazyvol::git {
namespace {

constexpr std::string_view kLfs = "lfs-";

std::string prefix(std::uint16_t remote) {
  return remote == 0 ? std::string() : std::to_string(remote) + "-";
}

/// A remote's number, taken off the front of `name` with its dash; 0 when there is none. nullopt
/// for a number that prefix() does not write.
std::optional<std::uint16_t> take_remote(std::string_view& name) {
  const auto dash = name.find('-');
  if (dash == std::string_view::npos || name.starts_with(kLfs)) return 0;
  std::uint16_t remote = 0;
  const char* end = name.data() + dash;
  const auto [rest, error] = std::from_chars(name.data(), end, remote);
  if (error != std::errc() || rest != end || remote == 0 || name.front() == '0') {
    return std::nullopt;
  }
  name.remove_prefix(dash + 1);
  return remote;
}

}  // namespace

std::string object_name(std::uint16_t remote, std::string_view id) {
  return prefix(remote) + std::string(id);
}

std::optional<ObjectPlace> parse_object_name(std::string_view name) {
  const auto remote = take_remote(name);
  if (!remote || !is_object_id(name)) return std::nullopt;
  return ObjectPlace{*remote, std::string(name)};
}

std::string lfs_object_name(std::uint16_t remote, const LfsPointer& object) {
  return prefix(remote) + std::string(kLfs) + object.oid + "-" + std::to_string(object.size);
}

std::optional<LfsPlace> parse_lfs_object_name(std::string_view name) {
  const auto remote = take_remote(name);
  if (!remote || !name.starts_with(kLfs)) return std::nullopt;
  name.remove_prefix(kLfs.size());
  const auto dash = name.find('-');
  if (dash == std::string_view::npos || !is_lfs_oid(name.substr(0, dash))) return std::nullopt;
  const auto size = parse_lfs_size(name.substr(dash + 1));
  if (!size) return std::nullopt;
  return LfsPlace{*remote, {std::string(name.substr(0, dash)), *size}};
}

}  // namespace lazyvol::git
