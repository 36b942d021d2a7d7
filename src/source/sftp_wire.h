// The SFTP protocol, version 3, as far as a reading client needs it: requests to bytes, bytes to
// replies. No I/O.
//
// Source of the format: draft-ietf-secsh-filexfer-02; limits@openssh.com: OpenSSH's PROTOCOL file,
// section 4.8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lazyvol/error.h"

namespace lazyvol::source {

/// The longest packet that is accepted, without its length field. OpenSSH never sends more.
inline constexpr std::uint32_t kMaxSftpPacket = 256 * 1024 + 1024;
/// What every server grants for one read (section 3 of the draft), for those that tell no limits.
inline constexpr std::uint32_t kSafeSftpRead = 32 * 1024;

enum class SftpType : std::uint8_t {
  init = 1,
  version = 2,
  open = 3,
  close = 4,
  read = 5,
  lstat = 7,
  fstat = 8,
  opendir = 11,
  readdir = 12,
  stat = 17,
  readlink = 19,
  status = 101,
  handle = 102,
  data = 103,
  name = 104,
  attrs = 105,
  extended = 200,
  extended_reply = 201,
};

/// SSH_FX_*, of version 3. Servers may send others; they mean a failure.
enum class SftpStatusCode : std::uint32_t {
  ok = 0,
  eof = 1,
  no_such_file = 2,
  permission_denied = 3,
  failure = 4,
  bad_message = 5,
  no_connection = 6,
  connection_lost = 7,
  unsupported = 8,
};

struct SftpAttributes {
  std::optional<std::uint64_t> size;
  std::optional<std::uint32_t> uid, gid;
  std::optional<std::uint32_t> permissions;  ///< as st_mode, with the type
  std::optional<std::uint32_t> mtime_s;      ///< seconds since the Unix epoch, unsigned
};

struct SftpName {
  std::string name;  ///< raw bytes, unchecked
  SftpAttributes attributes;
};

struct SftpStatus {
  SftpStatusCode code = SftpStatusCode::failure;
};
struct SftpHandle {
  std::string handle;  ///< opaque, at most 256 bytes
};
/// Bytes of a file, kept in the packet that brought them.
struct SftpData {
  std::vector<std::byte> packet;
  std::size_t begin = 0, length = 0;
  std::span<const std::byte> bytes() const { return std::span(packet).subspan(begin, length); }
};
struct SftpNames {
  std::vector<SftpName> names;
};
struct SftpExtendedReply {
  std::string payload;
};

struct SftpReply {
  std::uint32_t id = 0;
  std::variant<SftpStatus, SftpHandle, SftpData, SftpNames, SftpAttributes, SftpExtendedReply> body;
};

/// What the server says of itself.
struct SftpVersion {
  std::uint32_t version = 0;
  bool tells_limits = false;  ///< limits@openssh.com, version 1
};

// Requests: each appends one packet with its length field to `out`.
void put_sftp_init(std::string& out);
/// lstat, stat, opendir, readlink; open for reading.
void put_sftp_path(std::string& out, SftpType type, std::uint32_t id, std::string_view path);
/// close, fstat, readdir.
void put_sftp_handle(std::string& out, SftpType type, std::uint32_t id, std::string_view handle);
void put_sftp_read(std::string& out, std::uint32_t id, std::string_view handle,
                   std::uint64_t offset, std::uint32_t length);
void put_sftp_limits(std::string& out, std::uint32_t id);

/// Parses one packet (without its length field). Errors: corrupt, with a reason. Never reads past
/// the packet, and makes no more names than it has bytes for.
Result<SftpReply> parse_sftp_reply(std::vector<std::byte> packet);
Result<SftpVersion> parse_sftp_version(std::span<const std::byte> packet);
/// The max-read-length of an answer to limits@openssh.com; nullopt when it tells none.
std::optional<std::uint64_t> parse_sftp_read_limit(std::string_view payload);

/// Cuts a stream into packets. Not thread-safe.
class SftpPackets {
 public:
  using OnPacket = std::function<Status(std::vector<std::byte>)>;
  /// Takes what arrived and passes on each packet that is complete now. Errors: corrupt (an empty
  /// packet, or one longer than kMaxSftpPacket), or the first that `on_packet` answers; the stream
  /// is of no use then.
  Status feed(std::span<const std::byte> bytes, const OnPacket& on_packet);

 private:
  std::vector<std::byte> packet_;
  std::size_t filled_ = 0;
  std::uint32_t length_ = 0;  // of the packet, in the making
  int length_bytes_ = 0;
};

}  // namespace lazyvol::source
