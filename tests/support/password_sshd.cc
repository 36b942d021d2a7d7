#include "support/password_sshd.h"

#include <fmt/core.h>
#include <libssh/server.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

#include "support/process.h"
#include "support/sshd.h"
#include "support/temp_dir.h"

// libssh would rather see callbacks; its messages are the shorter way here, and stay for now.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace lazyvol::testing {
namespace {

/// OpenSSH's sftp-server behind a socket pair.
class SftpChild {
 public:
  SftpChild() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], 0);
      ::dup2(ends[1], 1);
      ::execl("/usr/lib/openssh/sftp-server", "sftp-server", nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    fd_ = ends[0];
  }
  ~SftpChild() {
    ::close(fd_);
    ::waitpid(pid_, nullptr, 0);
  }
  SftpChild(const SftpChild&) = delete;
  SftpChild& operator=(const SftpChild&) = delete;
  int fd() const { return fd_; }

 private:
  pid_t pid_ = -1;
  int fd_ = -1;
};

}  // namespace

struct PasswordSshd::Impl {
  Method method;
  std::string password;
  TempDir dir;
  std::uint16_t port = reserve_port();
  std::atomic<int> refused{0};
  std::atomic<bool> stopping{false};
  ssh_bind bind = nullptr;
  std::string named;   // the user who logs in; the thread's
  std::thread thread;  // serves one client after the other

  void accept_all();
  void serve(ssh_session session);
  bool log_in(ssh_session session, ssh_message message);
  void judge(ssh_message message, std::string_view shown, bool& in);
  void pump(ssh_channel channel) const;
};

void PasswordSshd::Impl::judge(ssh_message message, std::string_view shown, bool& in) {
  // An answer to a question comes without the user's name.
  const char* user = ssh_message_auth_user(message);
  if (user != nullptr) named = user;
  if (shown == password && named == "user") {
    ssh_message_auth_reply_success(message, 0);
    in = true;
    return;
  }
  ++refused;
  ssh_message_reply_default(message);
}

// Answers one message of a login; true when it was the right password.
bool PasswordSshd::Impl::log_in(ssh_session session, ssh_message message) {
  const bool interactive = method == Method::keyboard_interactive;
  const bool asks = ssh_message_type(message) == SSH_REQUEST_AUTH;
  const int subtype = ssh_message_subtype(message);
  bool in = false;
  ssh_message_auth_set_methods(
      message, interactive ? SSH_AUTH_METHOD_INTERACTIVE : SSH_AUTH_METHOD_PASSWORD);
  if (asks && !interactive && subtype == SSH_AUTH_METHOD_PASSWORD) {
    judge(message, ssh_message_auth_password(message), in);
  } else if (asks && interactive && subtype == SSH_AUTH_METHOD_INTERACTIVE) {
    std::array<const char*, 1> prompts = {"Password: "};
    std::array<char, 1> echo = {0};
    if (ssh_message_auth_kbdint_is_response(message)) {
      judge(message, ssh_userauth_kbdint_getanswer(session, 0), in);
    } else {
      named = ssh_message_auth_user(message);
      ssh_message_auth_interactive_request(message, "", "", 1, prompts.data(), echo.data());
    }
  } else {
    ssh_message_reply_default(message);
  }
  return in;
}

void PasswordSshd::Impl::pump(ssh_channel channel) const {
  const SftpChild child;
  std::vector<char> buffer(64 * 1024);
  while (!stopping && ssh_channel_is_open(channel) && !ssh_channel_is_eof(channel)) {
    const int n = ssh_channel_read_timeout(channel, buffer.data(), 32 * 1024, 0, 5);
    if (n > 0 && ::send(child.fd(), buffer.data(), static_cast<std::size_t>(n), 0) < 0) return;
    const ssize_t got = ::recv(child.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got == 0) return;
    if (got > 0) ssh_channel_write(channel, buffer.data(), static_cast<std::uint32_t>(got));
  }
}

void PasswordSshd::Impl::serve(ssh_session session) {
  if (ssh_handle_key_exchange(session) != SSH_OK) return;
  bool in = false;
  ssh_channel channel = nullptr;
  while (!stopping) {
    ssh_message const message = ssh_message_get(session);
    if (message == nullptr) return;
    const int type = ssh_message_type(message), subtype = ssh_message_subtype(message);
    bool sftp = false;
    if (!in) {
      in = log_in(session, message);
    } else if (type == SSH_REQUEST_CHANNEL_OPEN && subtype == SSH_CHANNEL_SESSION) {
      channel = ssh_message_channel_request_open_reply_accept(message);
    } else if (type == SSH_REQUEST_CHANNEL && subtype == SSH_CHANNEL_REQUEST_SUBSYSTEM) {
      ssh_message_channel_request_reply_success(message);
      sftp = true;
    } else {
      ssh_message_reply_default(message);
    }
    ssh_message_free(message);
    if (sftp) return pump(channel);
  }
}

void PasswordSshd::Impl::accept_all() {
  while (!stopping) {
    pollfd wait{ssh_bind_get_fd(bind), POLLIN, 0};
    if (::poll(&wait, 1, 10) <= 0) continue;
    ssh_session const session = ssh_new();
    if (ssh_bind_accept(bind, session) == SSH_OK) serve(session);
    ssh_disconnect(session);
    ssh_free(session);
  }
}

PasswordSshd::PasswordSshd(Method method, std::string password) : impl_(std::make_unique<Impl>()) {
  impl_->method = method;
  impl_->password = std::move(password);
  const auto key = impl_->dir.path() / "host_key";
  make_ssh_key(key);
  std::string public_key = read_file(key.string() + ".pub");
  public_key.resize(public_key.rfind(' '));
  write_file(known_hosts(), fmt::format("[127.0.0.1]:{} {}\n", impl_->port, public_key));
  impl_->bind = ssh_bind_new();
  unsigned port = impl_->port;
  int no_config = 0;
  ssh_bind_options_set(impl_->bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no_config);
  ssh_bind_options_set(impl_->bind, SSH_BIND_OPTIONS_BINDADDR, "127.0.0.1");
  ssh_bind_options_set(impl_->bind, SSH_BIND_OPTIONS_BINDPORT, &port);
  ssh_bind_options_set(impl_->bind, SSH_BIND_OPTIONS_HOSTKEY, key.c_str());
  if (ssh_bind_listen(impl_->bind) != SSH_OK) std::abort();
  impl_->thread = std::thread([this] { impl_->accept_all(); });
}

PasswordSshd::~PasswordSshd() {
  impl_->stopping = true;
  impl_->thread.join();
  ssh_bind_free(impl_->bind);
}

std::uint16_t PasswordSshd::port() const {
  return impl_->port;
}

std::filesystem::path PasswordSshd::known_hosts() const {
  return impl_->dir.path() / "known_hosts";
}

int PasswordSshd::refusals() const {
  return impl_->refused;
}

}  // namespace lazyvol::testing
