// What a tree is made of: node ids, types and attributes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lazyvol {

/// Identifies an entry of one volume on this node. Stable across restarts for as long as the entry
/// keeps its name, its type and (for a file) its version: a file whose bytes were replaced at the
/// origin is a new node, as after rename(2) over it. See docs/semantics.md.
using NodeId = std::uint64_t;
inline constexpr NodeId kRootNode = 1;

enum class NodeType : std::uint8_t { file = 1, directory = 2, symlink = 3 };

/// The longest name, and the longest volume-relative path, that is shown.
inline constexpr std::size_t kMaxName = 255;
inline constexpr std::size_t kMaxPath = 4095;

/// True for a name that may stand in a directory: 1..255 bytes, no '/', no NUL, not "." or "..".
bool valid_name(std::string_view name) noexcept;

/// One name of a directory, as a source describes it. Every optional field may be missing: a web
/// index rarely knows more than the name.
struct RemoteEntry {
  std::string name;  ///< raw bytes, valid_name() holds
  NodeType type = NodeType::file;
  std::optional<std::uint64_t> size;     ///< only when exact
  std::optional<std::int64_t> mtime_ns;  ///< only when exact to the second or better
  std::optional<std::uint32_t> mode;     ///< permission bits
  std::optional<std::uint32_t> uid, gid;
  std::string symlink_target;  ///< for symlinks; raw bytes
  /// Identity of the bytes: equal validators mean equal bytes. Empty when the listing does not
  /// reveal it; stat() then does.
  std::string validator;
  /// The row of the listing as an opaque token (rounded sizes, dates of unknown time zone): while
  /// it does not change, what stat() said before may still hold. Empty when there is nothing.
  std::string token;
  /// False when a change so soon after `mtime` could leave the validator unchanged ("racily
  /// clean", as git's index has it): such an entry is asked about again after the metadata TTL.
  bool settled = true;
  /// False for a name that the directory's listing leaves out, and that stat() proved to be there.
  bool listed = true;

  bool operator==(const RemoteEntry&) const = default;
};

/// What stat(2) shows of a node.
struct Attributes {
  NodeId id = 0;
  NodeType type = NodeType::file;
  std::uint32_t mode = 0;  ///< permission bits only
  std::uint32_t uid = 0, gid = 0;
  std::uint32_t nlink = 1;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
};

}  // namespace lazyvol
