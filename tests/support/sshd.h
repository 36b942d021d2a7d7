// A real OpenSSH server for tests and benches, and what a client needs to log in to it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace lazyvol::testing {

struct SshdOptions {
  std::string subsystem = "internal-sftp";  ///< the command that serves SFTP
  std::string extra;                        ///< verbatim lines of sshd_config
};

/// sshd on a free loopback port, for the user who runs the test, with host and user keys made for
/// it. As root it needs /run/sshd, which it makes. stop()/start() keep the port and the keys. Not
/// thread-safe.
class Sshd {
 public:
  explicit Sshd(SshdOptions options = {});
  ~Sshd();
  std::uint16_t port() const;
  void stop();
  void start();
  /// SIGKILL for every process that serves a connection, so that each is cut without a word.
  void kill_sessions();
  /// All that it logged so far (LogLevel VERBOSE).
  std::string log() const;
  /// How many lines of the log have `text`.
  int logged(const std::string& text) const;

  /// A directory like ~/.ssh: id_ed25519 may log in, known_hosts knows the server under its own
  /// port and under those of trust_port().
  std::filesystem::path client_dir() const;
  void trust_port(std::uint16_t port);
  /// "host-type base64" of the host key.
  std::string host_key() const;
  /// Lets the key in `public_key_file` in.
  void authorize(const std::filesystem::path& public_key_file);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Makes an ed25519 key pair at `path` and `path`.pub.
void make_ssh_key(const std::filesystem::path& path, const std::string& passphrase = {});

/// The environment variable by which the sftp source takes a directory in place of ~/.ssh, set for
/// as long as this lives. One at a time.
class SshDirectory {
 public:
  explicit SshDirectory(const std::filesystem::path& path);
  ~SshDirectory();
  SshDirectory(const SshDirectory&) = delete;
  SshDirectory& operator=(const SshDirectory&) = delete;
};

}  // namespace lazyvol::testing
