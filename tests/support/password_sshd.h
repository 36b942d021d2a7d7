// An SSH server that knows one user by a password: sshd could only be asked with one of this
// machine's own users.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace lazyvol::testing {

/// Serves SFTP of this machine's files by OpenSSH's sftp-server to "user" with the password, on a
/// free loopback port, one client after the other, until destruction. Its clients go first. Its
/// host key is in known_hosts() under that port.
class PasswordSshd {
 public:
  enum class Method { password, keyboard_interactive };
  PasswordSshd(Method method, std::string password);
  ~PasswordSshd();
  std::uint16_t port() const;
  std::filesystem::path known_hosts() const;
  /// How often somebody showed a wrong password.
  int refusals() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lazyvol::testing
