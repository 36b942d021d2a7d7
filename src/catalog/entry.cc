#include "catalog/entry.h"

#include <algorithm>

#include "base/bytes.h"

namespace lazyvol::catalog {
namespace {

Error wrong(std::string_view what) {
  return {Code::invalid_argument, "an entry with " + std::string(what)};
}

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

// The length of the content as far as it tells.
Status check_content(const Entry& entry) {
  if (const auto* bytes = std::get_if<InlineContent>(&entry.content)) {
    if (bytes->bytes.empty() || bytes->bytes.size() > kMaxInline) {
      return wrong("inline bytes that are none or too many");
    }
    if (bytes->bytes.size() != entry.size) return wrong("a size that its bytes do not have");
  } else if (const auto* list = std::get_if<PieceContent>(&entry.content)) {
    if (list->pieces.empty() || list->pieces.size() > kMaxPieces) {
      return wrong("no piece, or too many for a leaf");
    }
    std::uint64_t sum = 0;
    for (const Piece& piece : list->pieces) {
      LAZYVOL_TRY(check_frame_ref(piece.frame));
      if (piece.length == 0 || piece.offset > piece.frame.raw ||
          piece.length > piece.frame.raw - piece.offset) {
        return wrong("a piece that its frame does not have");
      }
      sum += piece.length;
    }
    if (sum != entry.size) return wrong("a size that its pieces do not have");
  } else if (const auto* map = std::get_if<MapContent>(&entry.content)) {
    LAZYVOL_TRY(check_frame_ref(map->map));
    if (entry.size == 0) return wrong("a file map and no bytes");
  } else if (const auto* object = std::get_if<ObjectContent>(&entry.content)) {
    if (!valid_object_name(object->name)) return wrong("an object of an impossible name");
    if (entry.size > INT64_MAX && entry.size != kUnknownSize) return wrong("an impossible size");
  } else if (entry.type == NodeType::file && entry.size != 0) {
    return wrong("bytes and no content");
  }
  return {};
}

Status check_type(const Entry& entry) {
  const bool has_content = !std::holds_alternative<std::monostate>(entry.content);
  switch (entry.type) {
    case NodeType::file:
      if (!entry.symlink_target.empty()) return wrong("a target, and it is no symbolic link");
      return check_content(entry);
    case NodeType::directory:
      if (has_content || entry.size != 0 || entry.alias || !entry.symlink_target.empty()) {
        return wrong("what a directory cannot have");
      }
      return {};
    case NodeType::symlink:
      if (entry.symlink_target.empty() || entry.symlink_target.size() > kMaxPath ||
          has_nul(entry.symlink_target)) {
        return wrong("an impossible target");
      }
      if (has_content || entry.size != entry.symlink_target.size()) {
        return wrong("a content that a symbolic link cannot have");
      }
      return {};
  }
  return wrong("an unknown type");
}

}  // namespace

Status check_xattrs(const std::vector<Xattr>& xattrs) {
  std::size_t bytes = 0;
  const Xattr* before = nullptr;
  for (const Xattr& xattr : xattrs) {
    if (xattr.name.empty() || xattr.name.size() > kMaxName || has_nul(xattr.name)) {
      return wrong("an extended attribute of an impossible name");
    }
    if (before != nullptr && xattr.name <= before->name) {
      return wrong("extended attributes that are not in order");
    }
    before = &xattr;
    bytes += xattr.name.size() + xattr.value.size() + 4;
  }
  if (bytes > kMaxXattrBytes || xattrs.size() > kMaxXattrs) {
    return wrong("more than 16 KiB or 256 of extended attributes");
  }
  return {};
}

bool valid_object_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kMaxObjectName && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

Status check_entry(const Entry& entry) {
  if (!valid_name(entry.name)) return wrong("a name that no directory can hold");
  if (entry.directory == 0) return wrong("no directory");
  if (entry.id <= kRootNode || entry.id > INT64_MAX || entry.directory > INT64_MAX) {
    return wrong("an id that is reserved");
  }
  if (entry.mode > 07777) return wrong("a mode of more than permission bits");
  LAZYVOL_TRY(check_xattrs(entry.xattrs));
  return check_type(entry);
}

model::ContentKey content_key(const Entry& file) {
  base::ByteWriter list;
  if (const auto* bytes = std::get_if<InlineContent>(&file.content)) {
    list.raw("lazyvol inline");
    list.raw(bytes->bytes);
  } else if (const auto* pieces = std::get_if<PieceContent>(&file.content)) {
    list.raw("lazyvol pieces");
    for (const Piece& piece : pieces->pieces) {
      list.raw(piece.frame.hash.view());
      list.little(piece.frame.raw, 4);
      list.little(piece.offset, 4);
      list.little(piece.length, 4);
    }
  } else if (const auto* map = std::get_if<MapContent>(&file.content)) {
    list.raw("lazyvol map");
    list.raw(map->map.hash.view());
    list.little(map->map.raw, 4);
    list.little(file.size, 8);
  } else if (const auto* object = std::get_if<ObjectContent>(&file.content)) {
    list.raw("lazyvol object");
    list.raw(object->name);
  } else {
    list.raw("lazyvol nothing");
  }
  const Digest digest = sha256(list.view());
  model::ContentKey key;
  std::copy_n(digest.bytes.begin(), key.bytes.size(), key.bytes.begin());
  return key;
}

}  // namespace lazyvol::catalog
