// Secrets from a TOML file, re-read when it changes.
#pragma once

#include <memory>
#include <string>

#include "lazyvol/error.h"
#include "net/http_engine.h"

namespace lazyvol::net {

/// Who will use them: SSH knows a user name from elsewhere, and no ~/.netrc.
enum class CredentialsFor { http, ssh };

/// Reads `credentials=FILE` (keys username, password, bearer-token, ca-cert, client-cert,
/// client-key, access-key-id, secret-access-key, session-token, private-key, passphrase,
/// known-hosts; paths in it are relative to the file). The file must belong to the reading user (or
/// root) and have no permission for group and others. Where it gives neither a username nor a
/// token, or where there is no file, ~/.netrc is used if it exists with the same owner and mode
/// rules. Thread-safe. Secrets never appear in any message.
class Credentials {
 public:
  /// `path` empty: no file; `ca_cert_path` as from the option, wins over the file's.
  /// Errors (from current(), too): access_denied for the mode, not_found, invalid_argument with
  /// line and column, or naming an unknown key.
  static Result<std::shared_ptr<Credentials>> open(std::string path, std::string ca_cert_path,
                                                   CredentialsFor use = CredentialsFor::http);

  /// The identity as of now: the file is read again when its (mtime, ctime, size, inode) changed,
  /// looked at no more than once a second. A broken new file keeps the old identity and logs one
  /// line.
  std::shared_ptr<const HttpIdentity> current();
  /// Looks at the file now (after a 401). True when the identity changed.
  bool reload();

 private:
  struct Impl;
  explicit Credentials(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace lazyvol::net
