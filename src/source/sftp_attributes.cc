#include "source/sftp_attributes.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <charconv>
#include <utility>

namespace lazyvol::source {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kSettleNs = 3 * kSecond;

}  // namespace

std::optional<NodeType> sftp_type(const SftpAttributes& attributes) {
  if (!attributes.permissions) return std::nullopt;
  if (S_ISDIR(*attributes.permissions)) return NodeType::directory;
  if (S_ISLNK(*attributes.permissions)) return NodeType::symlink;
  if (S_ISREG(*attributes.permissions)) return NodeType::file;
  return std::nullopt;
}

std::string sftp_validator(const SftpAttributes& attributes) {
  if (!attributes.mtime_s || !attributes.size) return {};
  return fmt::format("t:{}-{}", *attributes.mtime_s, *attributes.size);
}

std::optional<std::uint64_t> size_in_sftp_validator(std::string_view validator) {
  const auto dash = validator.rfind('-');
  if (!validator.starts_with("t:") || dash == std::string_view::npos) return std::nullopt;
  std::uint64_t size = 0;
  const char* end = validator.data() + validator.size();
  const auto [rest, error] = std::from_chars(validator.data() + dash + 1, end, size);
  if (error != std::errc() || rest != end) return std::nullopt;
  return size;
}

RemoteEntry sftp_entry(std::string name, NodeType type, const SftpAttributes& attributes,
                       std::int64_t local_now_ns) {
  RemoteEntry entry;
  entry.name = std::move(name);
  entry.type = type;
  if (attributes.mtime_s) entry.mtime_ns = *attributes.mtime_s * kSecond;
  if (attributes.permissions) entry.mode = *attributes.permissions & 07777U;
  entry.uid = attributes.uid;
  entry.gid = attributes.gid;
  if (type == NodeType::directory) return entry;
  entry.size = attributes.size;
  entry.validator = sftp_validator(attributes);
  entry.settled = entry.mtime_ns && local_now_ns - *entry.mtime_ns >= kSettleNs;
  return entry;
}

Error sftp_error(SftpStatusCode code, std::string_view what) {
  const auto error = [&](Code as, std::string_view why) {
    return Error{as, fmt::format("{}: {}", what, why)};
  };
  switch (code) {
    case SftpStatusCode::no_such_file:
      return error(Code::not_found, "no such file");
    case SftpStatusCode::permission_denied:
      return error(Code::access_denied, "the server denies permission");
    case SftpStatusCode::unsupported:
      return error(Code::unsupported, "the server does not support this");
    case SftpStatusCode::no_connection:
    case SftpStatusCode::connection_lost:
      return error(Code::unreachable, "the server lost its own connection");
    default:
      return error(Code::io_error,
                   fmt::format("the server failed (status {})", static_cast<std::uint32_t>(code)));
  }
}

}  // namespace lazyvol::source
