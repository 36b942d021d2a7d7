#include "source/sftp_wire.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lazyvol::source {
namespace {

constexpr std::uint32_t kClientVersion = 3;
constexpr std::uint32_t kOpenRead = 1;
constexpr std::size_t kMaxHandle = 256;
constexpr std::string_view kLimits = "limits@openssh.com";

enum AttributeFlag : std::uint32_t {
  kHasSize = 1,
  kHasOwner = 2,
  kHasPermissions = 4,
  kHasTimes = 8,
  kHasExtended = 0x80000000,
};

void put_u8(std::string& out, std::uint8_t value) {
  out.push_back(static_cast<char>(value));
}

void put_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    put_u8(out, static_cast<std::uint8_t>(value >> shift));
}

void put_u64(std::string& out, std::uint64_t value) {
  put_u32(out, static_cast<std::uint32_t>(value >> 32));
  put_u32(out, static_cast<std::uint32_t>(value));
}

void put_text(std::string& out, std::string_view text) {
  put_u32(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

/// Leaves room for the length of a packet, and fills it in at the end.
class Packet {
 public:
  Packet(std::string& out, SftpType type) : out_(out), begin_(out.size()) {
    put_u32(out_, 0);
    put_u8(out_, static_cast<std::uint8_t>(type));
  }
  ~Packet() {
    std::string length;
    put_u32(length, static_cast<std::uint32_t>(out_.size() - begin_ - 4));
    out_.replace(begin_, 4, length);
  }
  Packet(const Packet&) = delete;
  Packet& operator=(const Packet&) = delete;

 private:
  std::string& out_;
  const std::size_t begin_;
};

/// Reads fields off the front; once one is missing, all that follow are.
class Fields {
 public:
  explicit Fields(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::uint64_t number(std::size_t width) {
    if (bytes_.size() < width) {
      bad_ = true;
      bytes_ = {};
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < width; ++i)
      value = value << 8 | std::to_integer<std::uint8_t>(bytes_[i]);
    bytes_ = bytes_.subspan(width);
    return value;
  }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  std::uint64_t u64() { return number(8); }
  std::string_view text() {
    const std::size_t length = u32();
    if (bad_ || bytes_.size() < length) {
      bad_ = true;
      bytes_ = {};
      return {};
    }
    const std::string_view out(reinterpret_cast<const char*>(bytes_.data()), length);
    bytes_ = bytes_.subspan(length);
    return out;
  }
  std::string_view rest() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  bool bad() const { return bad_; }
  std::size_t left() const { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
  bool bad_ = false;
};

SftpAttributes attributes(Fields& in) {
  SftpAttributes out;
  const std::uint32_t flags = in.u32();
  if (flags & kHasSize) out.size = in.u64();
  if (flags & kHasOwner) {
    out.uid = in.u32();
    out.gid = in.u32();
  }
  if (flags & kHasPermissions) out.permissions = in.u32();
  if (flags & kHasTimes) {
    in.u32();  // atime
    out.mtime_s = in.u32();
  }
  if (flags & kHasExtended) {
    const std::uint32_t count = in.u32();
    for (std::uint32_t i = 0; i < count && !in.bad(); ++i) {
      in.text();
      in.text();
    }
  }
  return out;
}

SftpNames names(Fields& in) {
  constexpr std::size_t kLeastName = 12;  // two empty strings and no attributes
  SftpNames out;
  const std::uint32_t count = in.u32();
  out.names.reserve(std::min<std::size_t>(count, in.left() / kLeastName));
  for (std::uint32_t i = 0; i < count && !in.bad(); ++i) {
    SftpName name;
    name.name = in.text();
    in.text();  // as `ls -l` has it
    name.attributes = attributes(in);
    out.names.push_back(std::move(name));
  }
  return out;
}

Error corrupt(const char* why) {
  return Error{Code::corrupt, std::string("the SFTP server sent ") + why};
}

}  // namespace

void put_sftp_init(std::string& out) {
  const Packet packet(out, SftpType::init);
  put_u32(out, kClientVersion);
}

void put_sftp_path(std::string& out, SftpType type, std::uint32_t id, std::string_view path) {
  const Packet packet(out, type);
  put_u32(out, id);
  put_text(out, path);
  if (type != SftpType::open) return;
  put_u32(out, kOpenRead);
  put_u32(out, 0);  // no attributes
}

void put_sftp_handle(std::string& out, SftpType type, std::uint32_t id, std::string_view handle) {
  const Packet packet(out, type);
  put_u32(out, id);
  put_text(out, handle);
}

void put_sftp_read(std::string& out, std::uint32_t id, std::string_view handle,
                   std::uint64_t offset, std::uint32_t length) {
  const Packet packet(out, SftpType::read);
  put_u32(out, id);
  put_text(out, handle);
  put_u64(out, offset);
  put_u32(out, length);
}

void put_sftp_limits(std::string& out, std::uint32_t id) {
  const Packet packet(out, SftpType::extended);
  put_u32(out, id);
  put_text(out, kLimits);
}

Result<SftpReply> parse_sftp_reply(std::vector<std::byte> packet) {
  Fields in(packet);
  const auto type = static_cast<SftpType>(in.number(1));
  SftpReply reply;
  reply.id = in.u32();
  switch (type) {
    case SftpType::status:
      reply.body = SftpStatus{static_cast<SftpStatusCode>(in.u32())};
      break;
    case SftpType::handle: {
      const std::string_view handle = in.text();
      if (handle.size() > kMaxHandle) return corrupt("a handle that is too long");
      reply.body = SftpHandle{std::string(handle)};
      break;
    }
    case SftpType::data: {
      const std::size_t length = in.text().size();
      const std::size_t begin = packet.size() - in.left() - length;
      if (in.bad()) break;
      reply.body = SftpData{std::move(packet), begin, length};
      return reply;
    }
    case SftpType::name:
      reply.body = names(in);
      break;
    case SftpType::attrs:
      reply.body = attributes(in);
      break;
    case SftpType::extended_reply:
      reply.body = SftpExtendedReply{std::string(in.rest())};
      break;
    default:
      return corrupt("a packet of an unknown kind");
  }
  if (in.bad()) return corrupt("a packet that ends too early");
  return reply;
}

Result<SftpVersion> parse_sftp_version(std::span<const std::byte> packet) {
  Fields in(packet);
  if (static_cast<SftpType>(in.number(1)) != SftpType::version) return corrupt("no version");
  SftpVersion out;
  out.version = in.u32();
  while (!in.bad() && in.left() > 0) {
    const std::string_view name = in.text(), value = in.text();
    if (name == kLimits && value == "1") out.tells_limits = true;
  }
  if (in.bad()) return corrupt("a broken version");
  return out;
}

std::optional<std::uint64_t> parse_sftp_read_limit(std::string_view payload) {
  Fields in(std::as_bytes(std::span(payload.data(), payload.size())));
  in.u64();  // max-packet-length
  const std::uint64_t read = in.u64();
  if (in.bad() || read == 0) return std::nullopt;
  return read;
}

Status SftpPackets::feed(std::span<const std::byte> bytes, const OnPacket& on_packet) {
  while (!bytes.empty()) {
    if (length_bytes_ < 4) {
      length_ = length_ << 8 | std::to_integer<std::uint8_t>(bytes[0]);
      bytes = bytes.subspan(1);
      if (++length_bytes_ < 4) continue;
      if (length_ == 0 || length_ > kMaxSftpPacket) {
        return corrupt("a packet of an impossible length (is it an SFTP server?)");
      }
      packet_.resize(length_);
      filled_ = 0;
      continue;
    }
    const std::size_t n = std::min(bytes.size(), packet_.size() - filled_);
    std::memcpy(packet_.data() + filled_, bytes.data(), n);
    filled_ += n;
    bytes = bytes.subspan(n);
    if (filled_ < packet_.size()) continue;
    length_ = 0;
    length_bytes_ = 0;
    LAZYVOL_TRY(on_packet(std::exchange(packet_, {})));
  }
  return {};
}

}  // namespace lazyvol::source
