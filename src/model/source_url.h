// SOURCE as a user types it.
#pragma once

#include <string>
#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::model {

/// A parsed SOURCE. For "/path" and "file:///path" the scheme is "file".
struct SourceUrl {
  std::string scheme;     ///< lower case: file, http, https, s3, sftp (also typed ssh), git+http,
                          ///< git+https, git+ssh, git+file
  std::string authority;  ///< "host", "host:port", "[::1]:80"; lower case; never user information;
                          ///< s3: the bucket as typed
  /// file: the decoded absolute path; http: as typed, starts with '/'; s3: likewise and ends with
  /// '/'; sftp: decoded, absolute, or below the login's home directory as "/~" and "/~/…"; git+X:
  /// as for X, ssh as sftp.
  std::string path;
  std::string user{};  ///< sftp, git+ssh: decoded; empty when none is given
  bool operator==(const SourceUrl&) const = default;

  bool is_git() const { return scheme.starts_with("git+"); }
  /// Normal form, without credentials: names the volume in logs, /proc/mounts and the index.
  std::string canonical() const;
};

/// Errors: invalid_argument, one line that says what is wrong and what would be right: an unknown
/// scheme (the known ones are listed), user@ or user:password@ in the URL (sftp: a password) (use
/// credentials=), a query or fragment, a relative path, a missing host.
Result<SourceUrl> parse_source_url(std::string_view text);

/// Percent-encodes a path for a URL: everything but unreserved characters (RFC 3986) and '/'.
std::string percent_encode_path(std::string_view raw);
/// Decodes %XX. Errors: invalid_argument for a broken escape or %00.
Result<std::string> percent_decode(std::string_view text);

}  // namespace lazyvol::model
