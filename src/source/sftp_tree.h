// Names and attributes below one directory of an SFTP server.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lazyvol/source.h"
#include "source/sftp_call.h"
#include "source/sftp_pool.h"

namespace lazyvol::source {

/// Where the tree lies at the server. Immutable.
class SftpRoot {
 public:
  /// `path` as SourceUrl has it: absolute, or "/~" and "/~/…" for the login's home.
  explicit SftpRoot(std::string_view path);
  /// `path` passed check_path(). Links in the root's own path are followed by the server.
  std::string path_of(std::string_view path) const;

 private:
  std::string base_;  // "" is the home, "/" the server's root; else without a final slash
};

/// After the server said that `path` does not exist: `then` gets not_found, or unreachable when
/// the root is gone as well (a disk that is not mounted proves nothing). On the connection's
/// thread.
void prove_absence(const std::shared_ptr<const SftpRoot>& root,
                   const std::shared_ptr<SftpLease>& lease, const std::string& path, Error absent,
                   std::function<void(Error)> then);

// Work of SftpCall; `path` passed check_path().
void stat_sftp(const std::shared_ptr<const SftpRoot>& root, const std::string& path,
               const std::shared_ptr<SftpLease>& lease,
               const std::shared_ptr<SftpCall<RemoteEntry>>& call);
/// Asks for up to 64 parts of a directory at once, and for the targets of its links on the way.
void list_sftp(const std::shared_ptr<const SftpRoot>& root, const std::string& path,
               const std::shared_ptr<SftpLease>& lease,
               const std::shared_ptr<SftpCall<Listing>>& call);

}  // namespace lazyvol::source
