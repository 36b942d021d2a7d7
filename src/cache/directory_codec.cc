#include "cache/directory_codec.h"

#include <algorithm>
#include <cstring>

namespace lazyvol::cache {
namespace {

// The two flag bytes of an entry: its type and which optional fields follow, in this order.
enum : std::uint8_t {
  kTypeMask = 0x03,
  kHasSize = 0x04,
  kHasMtime = 0x08,
  kHasMode = 0x10,
  kHasUid = 0x20,
  kHasGid = 0x40,
  kSettled = 0x80,
};
enum : std::uint8_t {
  kHasTarget = 0x01,
  kHasValidator = 0x02,
  kHasToken = 0x04,
  kHasStat = 0x08,
  kUnlisted = 0x10,
  kAllFlags = 0x1f,
};

std::uint8_t flag(bool set, std::uint8_t bit) {
  return set ? bit : 0;
}

std::uint8_t first_flags(const RemoteEntry& entry) {
  return static_cast<std::uint8_t>(
      static_cast<std::uint8_t>(entry.type) | flag(entry.size.has_value(), kHasSize) |
      flag(entry.mtime_ns.has_value(), kHasMtime) | flag(entry.mode.has_value(), kHasMode) |
      flag(entry.uid.has_value(), kHasUid) | flag(entry.gid.has_value(), kHasGid) |
      flag(entry.settled, kSettled));
}

std::uint8_t second_flags(const StoredEntry& entry) {
  return static_cast<std::uint8_t>(flag(!entry.remote.symlink_target.empty(), kHasTarget) |
                                   flag(!entry.remote.validator.empty(), kHasValidator) |
                                   flag(!entry.remote.token.empty(), kHasToken) |
                                   flag(entry.stat_wall_ns != 0, kHasStat) |
                                   flag(!entry.remote.listed, kUnlisted));
}

// Differences wrap around, so that every pair of values has one.
std::int64_t difference(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::int64_t>(a - b);
}
std::uint64_t sum(std::uint64_t a, std::int64_t b) {
  return a + static_cast<std::uint64_t>(b);
}

Error damaged(std::string_view what) {
  return {Code::corrupt, "cache index: a damaged " + std::string(what)};
}

}  // namespace

Status check_storable(const StoredEntry& entry) {
  const RemoteEntry& remote = entry.remote;
  const auto type = static_cast<std::uint8_t>(remote.type);
  if (!valid_name(remote.name) || type < 1 || type > 3 || entry.id == 0) {
    return Error{Code::invalid_argument, "an entry without a valid name, type or id"};
  }
  if (remote.symlink_target.size() > kMaxPath || remote.validator.size() > kMaxStoredText ||
      remote.token.size() > kMaxStoredText) {
    return Error{Code::too_large, "an entry with a validator, token or target that is too long"};
  }
  return {};
}

ChunkEncoder::ChunkEncoder() {
  out_.byte(kDirectoryFormat);
}

void ChunkEncoder::add_name(std::string_view name) {
  const auto [mine, theirs] =
      std::mismatch(name.begin(), name.end(), last_name_.begin(), last_name_.end());
  const auto shared = static_cast<std::size_t>(mine - name.begin());
  out_.number(shared);
  out_.text(name.substr(shared));
  if (empty_) first_name_ = name;
  last_name_ = name;
  empty_ = false;
}

void ChunkEncoder::add(const StoredEntry& entry) {
  const RemoteEntry& remote = entry.remote;
  add_name(remote.name);
  out_.byte(first_flags(remote));
  out_.byte(second_flags(entry));
  out_.signed_number(difference(entry.id, last_id_));
  last_id_ = entry.id;
  if (remote.size) out_.number(*remote.size);
  if (remote.mtime_ns) {
    out_.signed_number(difference(static_cast<std::uint64_t>(*remote.mtime_ns),
                                  static_cast<std::uint64_t>(last_mtime_)));
    last_mtime_ = *remote.mtime_ns;
  }
  for (const auto& field : {remote.mode, remote.uid, remote.gid}) {
    if (field) out_.number(*field);
  }
  for (const std::string* field : {&remote.symlink_target, &remote.validator, &remote.token}) {
    if (!field->empty()) out_.text(*field);
  }
  if (entry.stat_wall_ns != 0) out_.signed_number(entry.stat_wall_ns);
}

std::string ChunkEncoder::take() {
  std::string value = out_.take();
  *this = ChunkEncoder();
  return value;
}

ChunkCursor::ChunkCursor(std::string_view chunk) : in_(chunk) {
  damaged_ = in_.byte() != kDirectoryFormat;
}

bool ChunkCursor::damage() {
  damaged_ = true;
  return false;
}

Status ChunkCursor::status() const {
  if (damaged_) return damaged("directory");
  return {};
}

bool ChunkCursor::next() {
  if (damaged_ || in_.at_end()) return false;
  return read_name() && read_fields();
}

bool ChunkCursor::read_name() {
  const std::uint64_t shared = in_.number();
  const std::string_view suffix = in_.text(kMaxName);
  if (in_.failed() || shared > name_length_ || shared + suffix.size() > kMaxName) return damage();
  // Names rise strictly: what follows the shared part is greater than what stood there.
  const std::string_view old_suffix = name().substr(shared);
  if (!first_ && suffix <= old_suffix) return damage();
  first_ = false;
  std::memcpy(name_.data() + shared, suffix.data(), suffix.size());
  name_length_ = shared + suffix.size();
  return valid_name(name()) || damage();
}

bool ChunkCursor::read_fields() {
  const std::uint8_t flags = in_.byte();
  const std::uint8_t more = in_.byte();
  if ((flags & kTypeMask) == 0 || (more & ~kAllFlags) != 0) return damage();
  type_ = static_cast<NodeType>(flags & kTypeMask);
  settled_ = (flags & kSettled) != 0;
  listed_ = (more & kUnlisted) == 0;
  id_ = sum(id_, in_.signed_number());
  size_.reset();
  mtime_.reset();
  if ((flags & kHasSize) != 0) size_ = in_.number();
  if ((flags & kHasMtime) != 0) {
    mtime_base_ = static_cast<std::int64_t>(
        sum(static_cast<std::uint64_t>(mtime_base_), in_.signed_number()));
    mtime_ = mtime_base_;
  }
  const auto number32_if = [&](std::uint8_t bit) {
    return (flags & bit) != 0 ? std::optional(in_.number32()) : std::nullopt;
  };
  mode_ = number32_if(kHasMode);
  uid_ = number32_if(kHasUid);
  gid_ = number32_if(kHasGid);
  const auto text_if = [&](std::uint8_t bit, std::size_t limit) {
    return (more & bit) != 0 ? in_.text(limit) : std::string_view();
  };
  symlink_target_ = text_if(kHasTarget, kMaxPath);
  validator_ = text_if(kHasValidator, kMaxStoredText);
  token_ = text_if(kHasToken, kMaxStoredText);
  stat_wall_ns_ = (more & kHasStat) != 0 ? in_.signed_number() : 0;
  return (!in_.failed() && id_ != 0) || damage();
}

StoredEntry ChunkCursor::entry() const {
  StoredEntry result;
  result.remote.name = name();
  result.remote.type = type_;
  result.remote.size = size_;
  result.remote.mtime_ns = mtime_;
  result.remote.mode = mode_;
  result.remote.uid = uid_;
  result.remote.gid = gid_;
  result.remote.symlink_target = symlink_target_;
  result.remote.validator = validator_;
  result.remote.token = token_;
  result.remote.settled = settled_;
  result.remote.listed = listed_;
  result.id = id_;
  result.stat_wall_ns = stat_wall_ns_;
  return result;
}

std::string encode_header(const DirectoryHeader& header) {
  base::ByteWriter out;
  out.byte(kDirectoryFormat);
  out.signed_number(header.listed_wall_ns);
  out.number(header.entries);
  out.number(header.refused);
  out.byte(header.hides_dot_names ? 1 : 0);
  out.text(header.validator);
  return out.take();
}

Result<DirectoryHeader> decode_header(std::string_view value) {
  base::ByteReader in(value);
  const bool known = in.byte() == kDirectoryFormat;
  DirectoryHeader header;
  header.listed_wall_ns = in.signed_number();
  header.entries = in.number();
  header.refused = in.number();
  header.hides_dot_names = in.byte() != 0;
  header.validator = in.text(kMaxStoredText);
  if (!known || in.failed() || !in.at_end()) return damaged("directory header");
  return header;
}

std::string encode_place(NodeId parent, std::string_view name) {
  base::ByteWriter out;
  out.byte(kDirectoryFormat);
  out.number(parent);
  out.raw(name);
  return out.take();
}

Result<NodePlace> decode_place(std::string_view value) {
  base::ByteReader in(value);
  const bool known = in.byte() == kDirectoryFormat;
  NodePlace place;
  place.parent = in.number();
  place.name = in.rest();
  if (!known || in.failed() || place.parent == 0 || !valid_name(place.name)) {
    return damaged("node record");
  }
  return place;
}

}  // namespace lazyvol::cache
