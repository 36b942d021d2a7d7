#include "support/sshd.h"

#include <fmt/core.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <sstream>

#include "support/process.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::testing {
namespace fs = std::filesystem;
namespace {

void append(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::app) << text;
}

}  // namespace

struct Sshd::Impl {
  TempDir dir;
  SshdOptions options;
  std::uint16_t port = reserve_port();
  Process process;

  fs::path path(const char* name) const { return dir.path() / name; }
  std::string config() const {
    return fmt::format(
        "Port {1}\nListenAddress 127.0.0.1\nHostKey {0}/host_key\nPidFile none\n"
        "AuthorizedKeysFile {0}/authorized_keys\nStrictModes no\nUsePAM no\nLogLevel VERBOSE\n"
        "PermitRootLogin yes\nMaxStartups 100\n"
        // bash reads ~/.bashrc for sshd unless it believes to be within another shell.
        "SetEnv SHLVL=2\n{2}\nSubsystem sftp {3}\n",
        dir.path().string(), port, options.extra, options.subsystem);
  }
};

Sshd::Sshd(SshdOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  fs::create_directory(client_dir());
  ::chmod(client_dir().c_str(), 0700);
  make_ssh_key(impl_->path("host_key"));
  make_ssh_key(client_dir() / "id_ed25519");
  authorize(client_dir() / "id_ed25519.pub");
  trust_port(impl_->port);
  write_file(impl_->path("sshd_config"), impl_->config());
  // The directory that sshd of root changes its root to before a login.
  if (::geteuid() == 0) fs::create_directories("/run/sshd");
  start();
}

Sshd::~Sshd() {
  kill_sessions();
  stop();
  print_log_on_failure(impl_->path("log"));
}

std::uint16_t Sshd::port() const {
  return impl_->port;
}

void Sshd::start() {
  Process::Spec spec;
  spec.log = impl_->path("log");
  spec.argv = {"/usr/sbin/sshd", "-D", "-e", "-f", impl_->path("sshd_config").string()};
  impl_->process = start_server(spec, impl_->port);
}

void Sshd::stop() {
  impl_->process.stop();
}

// Children of children, too: privilege separation makes two for a connection.
void Sshd::kill_sessions() {
  std::vector<pid_t> family{impl_->process.pid()};
  if (family.front() <= 0) return;
  for (std::size_t i = 0; i < family.size(); ++i) {
    const std::string file = fmt::format("/proc/{0}/task/{0}/children", family[i]);
    std::ifstream children(file);
    for (pid_t child = 0; children >> child;) family.push_back(child);
  }
  for (std::size_t i = family.size(); i-- > 1;) ::kill(family[i], SIGKILL);
}

std::string Sshd::log() const {
  return read_file(impl_->path("log"));
}

int Sshd::logged(const std::string& text) const {
  std::istringstream lines(log());
  int count = 0;
  for (std::string line; std::getline(lines, line);) count += line.find(text) != std::string::npos;
  return count;
}

fs::path Sshd::client_dir() const {
  return impl_->path("client");
}

std::string Sshd::host_key() const {
  std::istringstream words(read_file(impl_->path("host_key.pub")));
  std::string type, key;
  words >> type >> key;
  return type + " " + key;
}

void Sshd::trust_port(std::uint16_t port) {
  append(client_dir() / "known_hosts", fmt::format("[127.0.0.1]:{} {}\n", port, host_key()));
}

void Sshd::authorize(const fs::path& public_key_file) {
  append(impl_->path("authorized_keys"), read_file(public_key_file));
}

void make_ssh_key(const fs::path& path, const std::string& passphrase) {
  const auto made =
      run({"ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", path.string()});
  if (made.status == 0) return;
  std::cerr << "ssh-keygen: " << made.output << std::endl;
  std::abort();
}

SshDirectory::SshDirectory(const fs::path& path) {
  ::setenv("LAZYVOL_SSH_DIR", path.c_str(), 1);
}

SshDirectory::~SshDirectory() {
  ::unsetenv("LAZYVOL_SSH_DIR");
}

}  // namespace lazyvol::testing
