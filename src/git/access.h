// How git reaches a repository: its settings, and the secrets of the credentials file.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/locked.h"
#include "git/process.h"
#include "lazyvol/error.h"
#include "model/source_url.h"
#include "net/credentials.h"

namespace lazyvol::git {

/// Makes the commands that may use the network. Secrets for http(s) stand in a configuration file
/// of mode 0600, never in arguments or the environment, and only for the host of SOURCE. Where
/// there are such, redirects are not followed: they could lead elsewhere. Thread-safe.
class Access {
 public:
  struct Settings {
    model::SourceUrl url;  ///< git+…
    std::string credentials, ca_cert;
    std::chrono::milliseconds io_timeout{10'000};
    std::filesystem::path config_file;  ///< written when there is something to say
  };
  /// Errors: those of net::Credentials::open; invalid_argument for what this transport cannot use.
  static Result<std::shared_ptr<Access>> open(Settings settings);
  /// Removes the file.
  ~Access();
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;

  /// The URL as git takes it.
  const std::string& url() const { return url_; }
  bool is_file() const { return settings_.url.scheme == "git+file"; }

  /// "git ARGUMENTS" in the repository `git_dir`. Secrets that changed are written first.
  Result<Command> command(const std::filesystem::path& git_dir,
                          const std::vector<std::string>& arguments);
  /// What speaks git-upload-pack's protocol, version 2, on its pipes. With `needs_connect` the
  /// remote helper of git, which must be told what to connect to first.
  struct UploadPackCommand {
    Command command;
    bool needs_connect = false;
  };
  Result<UploadPackCommand> upload_pack(const std::filesystem::path& git_dir,
                                        const std::string& url);
  /// `ssh HOST "PROGRAM PATH TAIL"`, with the host and path of `url`, which is git's for ssh.
  Result<Command> ssh(const std::filesystem::path& git_dir, const std::string& url,
                      std::string_view program, std::string_view tail);

  /// What a request to the http(s) `url` may carry: all there is on the origin of SOURCE, elsewhere
  /// nothing but whom to trust.
  std::shared_ptr<const net::HttpIdentity> identity_for(const std::string& url) const;
  /// Looks at the credentials file now.
  void reload_credentials() { credentials_->reload(); }

 private:
  Access(Settings settings, std::shared_ptr<net::Credentials> credentials);
  Status write_config();
  std::string config_text(const net::HttpIdentity& identity) const;
  std::vector<std::string> ssh_arguments(const net::HttpIdentity& identity) const;

  const Settings settings_;
  const std::shared_ptr<net::Credentials> credentials_;
  const std::string url_;
  struct Written {
    std::shared_ptr<const net::HttpIdentity> identity;
    bool exists = false;
  };
  base::Locked<Written> written_;
};

/// A URL as git takes it, also user@host:path. Errors: parse_source_url's.
Result<model::SourceUrl> parse_git_url(const std::string& url);

/// `text` as one word of a shell.
std::string shell_word(std::string_view text);

/// A command that reads objects of this machine and reaches nothing: "git ARGUMENTS" in an empty
/// repository at `git_dir`, with the objects below `objects` (and, if not empty, `more_objects`).
/// In one that knows a remote git would fetch what is missing.
Command local_command(const std::filesystem::path& git_dir, const std::filesystem::path& objects,
                      const std::filesystem::path& more_objects,
                      const std::vector<std::string>& arguments);

}  // namespace lazyvol::git
