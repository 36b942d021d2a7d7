#include "source/ssh_session.h"

#include <libssh/server.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "source/paths.h"
#include "source/ssh_login.h"
#include "source/ssh_waiter.h"

namespace lazyvol::source {

using std::chrono::milliseconds;

struct SshSession::Impl {
  ssh_counter_struct received{}, raw{};  // the session counts into them
  SshHandle session{ssh_new()};
  ssh_channel channel = nullptr;  // freed with the session
  std::uint64_t since_grown = kWindow;
  Status open_channel(SshWaiter& waiter);
};

std::string SshWaiter::last_error() const {
  const std::string text = printable(ssh_get_error(session_));
  return text.empty() ? "the connection ended" : text;
}

Status SshWaiter::wait() {
  const auto now = base::system_clock().now();
  if (received_.in_bytes != seen_) progress_ = now;
  seen_ = received_.in_bytes;
  const auto left = std::chrono::ceil<milliseconds>(progress_ + patience_ - now);
  if (left.count() <= 0) return Error{Code::timed_out, "no answer from the SSH server"};
  if (wakeup_.stopping()) return Error{Code::cancelled, "shutting down"};
  const int flags = ssh_get_poll_flags(session_);
  const auto events = static_cast<short>(POLLIN | (flags & SSH_WRITE_PENDING ? POLLOUT : 0));
  pollfd waits[] = {{ssh_get_fd(session_), events, 0}, {wakeup_.fd(), POLLIN, 0}};
  if (::poll(waits, 2, static_cast<int>(left.count())) < 0 && errno != EINTR) {
    return errno_error(errno, "poll");
  }
  if (waits[1].revents != 0) wakeup_.drain();
  return {};
}

Status SshSession::Impl::open_channel(SshWaiter& waiter) {
  channel = ssh_channel_new(session.get());
  if (channel == nullptr) return Error{Code::out_of_memory, "no memory for an SSH channel"};
  LAZYVOL_TRY_ASSIGN(int rc,
                     waiter.complete([&] { return ssh_channel_open_session(channel); }, SSH_AGAIN));
  if (rc != SSH_OK) return Error{Code::unreachable, waiter.last_error()};
  LAZYVOL_TRY_ASSIGN(
      rc,
      waiter.complete([&] { return ssh_channel_request_subsystem(channel, "sftp"); }, SSH_AGAIN));
  if (rc == SSH_OK) return {};
  if (!ssh_is_connected(session.get())) return Error{Code::unreachable, waiter.last_error()};
  return Error{Code::unsupported, "the server offers no SFTP"};
}

SshSession::SshSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

SshSession::~SshSession() = default;

Result<std::unique_ptr<SshSession>> SshSession::open(const SshTarget& target,
                                                     const net::HttpIdentity& identity,
                                                     milliseconds patience, Wakeup& wakeup) {
  auto impl = std::make_unique<Impl>();
  ssh_session const session = impl->session.get();
  if (session == nullptr) return Error{Code::out_of_memory, "no memory for an SSH session"};
  ssh_set_blocking(session, 0);
  ssh_set_counters(session, &impl->received, &impl->raw);
  SshWaiter waiter(session, impl->received, patience, wakeup);
  LAZYVOL_TRY(configure_ssh(session, target, identity));
  LAZYVOL_TRY(connect_ssh(session, waiter, patience, wakeup));
  LAZYVOL_TRY(check_host_key(session));
  LAZYVOL_TRY(log_in(session, waiter, identity));
  LAZYVOL_TRY(impl->open_channel(waiter));
  return std::unique_ptr<SshSession>(new SshSession(std::move(impl)));
}

Result<std::size_t> SshSession::read(std::span<std::byte> buffer) {
  // libssh opens the window as wide as one asks to read; asked each time, it would send an
  // adjustment for every packet.
  constexpr std::uint32_t kPiece = 64 * 1024;
  const bool grow = impl_->since_grown >= kWindow / 4;
  const std::uint32_t wanted = grow ? kWindow : kPiece;
  if (grow) impl_->since_grown = 0;
  for (;;) {
    const std::uint64_t before = impl_->received.in_bytes;
    const int n = ssh_channel_read_timeout(impl_->channel, buffer.data(), wanted, 0, 0);
    if (n > 0) {
      impl_->since_grown += static_cast<std::uint64_t>(n);
      return static_cast<std::size_t>(n);
    }
    if (n < 0 && n != SSH_AGAIN) {
      return Error{Code::unreachable,
                   "connection lost: " + printable(ssh_get_error(impl_->session.get()))};
    }
    if (ssh_channel_is_eof(impl_->channel) || ssh_channel_is_closed(impl_->channel)) {
      return Error{Code::unreachable, "the server closed the connection"};
    }
    if (impl_->received.in_bytes == before) return std::size_t{0};  // else: part of a packet
  }
}

Result<std::size_t> SshSession::write(std::string_view bytes) {
  if (bytes.empty()) return std::size_t{0};
  const int n =
      ssh_channel_write(impl_->channel, bytes.data(), static_cast<std::uint32_t>(bytes.size()));
  if (n == SSH_AGAIN) return std::size_t{0};
  if (n < 0) {
    return Error{Code::unreachable,
                 "connection lost: " + printable(ssh_get_error(impl_->session.get()))};
  }
  return static_cast<std::size_t>(n);
}

void SshSession::probe() {
  // The first call may only take in the answer to an earlier probe.
  ssh_send_keepalive(impl_->session.get());
  ssh_send_keepalive(impl_->session.get());
}

int SshSession::fd() const {
  return ssh_get_fd(impl_->session.get());
}

bool SshSession::wants_write() const {
  return (ssh_get_poll_flags(impl_->session.get()) & SSH_WRITE_PENDING) != 0;
}

std::uint64_t SshSession::received() const {
  return impl_->received.in_bytes;
}

}  // namespace lazyvol::source
