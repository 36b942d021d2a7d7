// Configuration and connection of an SSH session.
#include <fcntl.h>
#include <fmt/core.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <string>

#include "source/dir_root.h"
#include "source/paths.h"
#include "source/ssh_login.h"

namespace lazyvol::source {
namespace {

using std::chrono::milliseconds;

// With AES in the processor, GCM is the fastest that both ends know. ssh_config's Ciphers wins.
constexpr char kCiphers[] =
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,"
    "aes256-ctr,aes192-ctr,aes128-ctr";

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

std::string option(ssh_session session, ssh_options_e name) {
  char* value = nullptr;
  if (ssh_options_get(session, name, &value) != SSH_OK || value == nullptr) return {};
  std::string out = value;
  ssh_string_free_char(value);
  return out;
}

Result<Addresses> resolve(const std::string& host, unsigned port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  const int rc = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (rc != 0) {
    return Error{Code::unreachable,
                 fmt::format("host '{}': {}", printable(host), ::gai_strerror(rc))};
  }
  return Addresses(list);
}

// Small requests go at once; a peer that vanished is noticed by the kernel, too.
void tune(int fd, milliseconds patience) {
  const auto set = [fd](int level, int name, int value) {
    (void)::setsockopt(fd, level, name, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 15);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(patience.count()));
}

Result<Fd> connect_one(const addrinfo& to, milliseconds patience, Wakeup& wakeup) {
  Fd fd(::socket(to.ai_family, to.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to.ai_protocol));
  if (fd.get() < 0) return errno_error(errno, "socket");
  if (::connect(fd.get(), to.ai_addr, to.ai_addrlen) != 0) {
    if (errno != EINPROGRESS)
      return Error{Code::unreachable, errno_error(errno, "connect").message};
    pollfd waits[] = {{fd.get(), POLLOUT, 0}, {wakeup.fd(), POLLIN, 0}};
    const auto end = base::system_clock().now() + patience;
    while (waits[0].revents == 0) {
      const auto left = std::chrono::ceil<milliseconds>(end - base::system_clock().now());
      if (left.count() <= 0) return Error{Code::timed_out, "connect: no answer"};
      if (::poll(waits, 2, static_cast<int>(left.count())) < 0 && errno != EINTR) {
        return errno_error(errno, "poll");
      }
      if (wakeup.stopping()) return Error{Code::cancelled, "shutting down"};
      if (waits[1].revents != 0) wakeup.drain();
    }
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return Error{Code::unreachable, errno_error(error, "connect").message};
  }
  tune(fd.get(), patience);
  return fd;
}

// libssh tries one address only.
Result<Fd> connect_any(const std::string& host, unsigned port, milliseconds patience,
                       Wakeup& wakeup) {
  LAZYVOL_TRY_ASSIGN(const Addresses addresses, resolve(host, port));
  Error last{Code::unreachable, "no address"};
  for (const addrinfo* one = addresses.get(); one != nullptr; one = one->ai_next) {
    auto fd = connect_one(*one, patience, wakeup);
    if (fd.ok() || fd.error().code == Code::cancelled) return fd;
    last = std::move(fd).error();
  }
  return last.in(fmt::format("{} port {}", printable(host), port));
}

}  // namespace

Status configure_ssh(ssh_session session, const SshTarget& target,
                     const net::HttpIdentity& identity) {
  const auto refuse = [&](const char* what) {
    return Error{Code::invalid_argument,
                 fmt::format("{}: {}", what, printable(ssh_get_error(session)))};
  };
  const auto set = [&](ssh_options_e name, const std::string& value) {
    return value.empty() || ssh_options_set(session, name, value.c_str()) == SSH_OK;
  };
  const std::string& user = target.user.empty() ? identity.username : target.user;
  if (!set(SSH_OPTIONS_HOST, target.host)) return refuse("host");
  if (!set(SSH_OPTIONS_SSH_DIR, target.ssh_dir)) return refuse("ssh directory");
  if (!set(SSH_OPTIONS_CIPHERS_C_S, kCiphers)) return refuse("ciphers");
  if (!set(SSH_OPTIONS_CIPHERS_S_C, kCiphers)) return refuse("ciphers");
  if (!set(SSH_OPTIONS_USER, user)) return refuse("user");
  if (ssh_options_parse_config(session, nullptr) != SSH_OK) return refuse("ssh_config");
  // What SOURCE says wins over the configuration's Port.
  unsigned port = target.port.value_or(0);
  if (port != 0) ssh_options_set(session, SSH_OPTIONS_PORT, &port);
  if (!identity.known_hosts_path.empty()) {
    if (!set(SSH_OPTIONS_KNOWNHOSTS, identity.known_hosts_path)) return refuse("known-hosts");
    if (!set(SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null")) return refuse("known-hosts");
  }
  int strict = 1;
  ssh_options_set(session, SSH_OPTIONS_STRICTHOSTKEYCHECK, &strict);
  return {};
}

Status connect_ssh(ssh_session session, SshWaiter& waiter, milliseconds patience, Wakeup& wakeup) {
  if (option(session, SSH_OPTIONS_PROXYCOMMAND).empty()) {
    unsigned port = 22;
    ssh_options_get_port(session, &port);
    LAZYVOL_TRY_ASSIGN(Fd fd,
                       connect_any(option(session, SSH_OPTIONS_HOST), port, patience, wakeup));
    socket_t socket = fd.release();  // the session closes it
    ssh_options_set(session, SSH_OPTIONS_FD, &socket);
  }
  LAZYVOL_TRY_ASSIGN(const int rc,
                     waiter.complete([&] { return ssh_connect(session); }, SSH_AGAIN));
  if (rc == SSH_OK) return {};
  const std::string why = waiter.last_error();
  const bool no_common = why.find("kex error") != std::string::npos;
  return Error{no_common ? Code::unsupported : Code::unreachable, why};
}

Status check_host_key(ssh_session session) {
  ssh_key raw = nullptr;
  if (ssh_get_server_publickey(session, &raw) != SSH_OK) {
    return Error{Code::access_denied, "the server shows no host key"};
  }
  const SshKey key(raw);
  unsigned char* hash = nullptr;
  std::size_t length = 0;
  std::string shown = "?";
  if (ssh_get_publickey_hash(key.get(), SSH_PUBLICKEY_HASH_SHA256, &hash, &length) == 0) {
    const SshText text(ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, length));
    ssh_clean_pubkey_hash(&hash);
    if (text) shown = text.get();
  }
  unsigned port = 22;
  ssh_options_get_port(session, &port);
  const std::string host = printable(option(session, SSH_OPTIONS_HOST));
  const std::string file = option(session, SSH_OPTIONS_KNOWNHOSTS);
  const std::string name = port == 22 ? host : fmt::format("[{}]:{}", host, port);
  const std::string add = fmt::format("ssh-keyscan -p {} {} >> {}", port, host, file);
  switch (ssh_session_is_known_server(session)) {
    case SSH_KNOWN_HOSTS_OK:
      return {};
    case SSH_KNOWN_HOSTS_CHANGED:
      return Error{Code::access_denied,
                   fmt::format("the host key of {} has CHANGED (now {}) against {}: if that is "
                               "meant, ssh-keygen -f {} -R '{}' and then {}",
                               name, shown, file, file, name, add)};
    case SSH_KNOWN_HOSTS_OTHER:
      return Error{Code::access_denied,
                   fmt::format("the host key of {} ({}) is of another type than the one in {}: "
                               "compare it, then {}",
                               name, shown, file, add)};
    case SSH_KNOWN_HOSTS_NOT_FOUND:
    case SSH_KNOWN_HOSTS_UNKNOWN:
      return Error{Code::access_denied,
                   fmt::format("the host key of {} ({}) is not in {}: compare it, then {}", name,
                               shown, file, add)};
    case SSH_KNOWN_HOSTS_ERROR:
      break;
  }
  return Error{Code::access_denied, fmt::format("the host key of {} cannot be checked: {}", name,
                                                printable(ssh_get_error(session)))};
}

}  // namespace lazyvol::source
