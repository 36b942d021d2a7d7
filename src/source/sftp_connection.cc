#include "source/sftp_connection.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace lazyvol::source {

using std::chrono::milliseconds;

namespace {

// The most that is asked for at once: larger reads gain nothing, and a piece is what is checked
// before it is passed on.
constexpr std::uint32_t kLargestRead = 255 * 1024;
constexpr std::uint32_t kSmallestRead = 4 * 1024;
constexpr milliseconds kLeastSilence{500};

}  // namespace

void SftpConnection::run(const Events& events) {
  Status status = log_in();
  if (status.ok()) {
    events.opened();
    status = turns(events, [] { return false; });
  }
  std::optional<Error> why;
  if (!status.ok()) why = std::move(status).error();
  if (wakeup_.stopping()) why = Error{Code::cancelled, "shutting down"};
  // First, so that nobody comes any more; those who did are told below.
  events.ended(why);
  end(why.value_or(Error{Code::unreachable, "the connection was idle"}));
}

Status SftpConnection::log_in() {
  const auto identity = settings_.credentials->current();
  LAZYVOL_TRY_ASSIGN(session_,
                     SshSession::open(settings_.target, *identity, settings_.io_timeout, wakeup_));
  buffer_ = std::make_unique_for_overwrite<std::byte[]>(SshSession::kWindow);
  used_ = heard_ = base::system_clock().now();
  return hello();
}

// Exchanges versions, then asks for the server's limits where it has them to tell.
Status SftpConnection::hello() {
  const Events none{[] {}, [](auto) {}, [] { return false; }};
  put_sftp_init(out_);
  const std::uint32_t owed = add_handler([](auto) {});  // so that silence is noticed
  LAZYVOL_TRY(turns(none, [this] { return version_.has_value(); }));
  handlers_.erase(owed);
  if (version_->version != 3) return Error{Code::unsupported, "the server speaks no SFTP 3"};
  if (!version_->tells_limits) return {};
  const auto answered = std::make_shared<bool>(false);
  const std::uint32_t id = add_handler([this, answered](Result<SftpReply> reply) {
    *answered = true;
    if (!reply.ok()) return;
    const auto* body = std::get_if<SftpExtendedReply>(&reply->body);
    const auto limit = body ? parse_sftp_read_limit(body->payload) : std::nullopt;
    if (!limit) return;
    read_size_ =
        static_cast<std::uint32_t>(std::clamp<std::uint64_t>(*limit, kSmallestRead, kLargestRead));
  });
  put_sftp_limits(out_, id);
  return turns(none, [answered] { return *answered; });
}

Status SftpConnection::turns(const Events& events, const std::function<bool()>& enough) {
  for (;;) {
    LAZYVOL_TRY(turn());
    const auto now = base::system_clock().now();
    if (enough()) return {};
    if (handlers_.empty() && now - used_ >= settings_.idle_timeout) {
      if (events.may_close()) return {};
      used_ = now;  // a paused read holds it: ask again later
    }
    LAZYVOL_TRY(sleep());
  }
}

// What others ask, what goes out, what came in.
Status SftpConnection::turn() {
  if (wakeup_.stopping()) return Error{Code::cancelled, "shutting down"};
  if (retired_) return *retired_;
  if (version_) run_tasks();
  LAZYVOL_TRY(flush());
  // Last of what is asked of libssh before sleeping: writing may have taken data in, too.
  LAZYVOL_TRY(take_in());
  return watch_silence();
}

// Until there is something to do.
Status SftpConnection::sleep() {
  const auto wanted = static_cast<short>(POLLIN | (session_->wants_write() ? POLLOUT : 0));
  pollfd waits[] = {{session_->fd(), wanted, 0}, {wakeup_.fd(), POLLIN, 0}};
  const milliseconds pause = more_ ? milliseconds(0) : until_next_look();
  if (::poll(waits, 2, static_cast<int>(pause.count())) < 0 && errno != EINTR) {
    return errno_error(errno, "poll");
  }
  if (waits[1].revents != 0) wakeup_.drain();
  return {};
}

Status SftpConnection::flush() {
  while (!out_.empty()) {
    LAZYVOL_TRY_ASSIGN(const std::size_t n, session_->write(out_));
    if (n == 0) return {};
    out_.erase(0, n);
  }
  return {};
}

Status SftpConnection::take_in() {
  // So that a stream that never pauses does not keep others waiting.
  constexpr std::size_t kMost = 1 << 20;
  more_ = false;
  for (std::size_t taken = 0; !more_;) {
    LAZYVOL_TRY_ASSIGN(const std::size_t n, session_->read({buffer_.get(), SshSession::kWindow}));
    if (n == 0) return {};
    LAZYVOL_TRY(packets_.feed({buffer_.get(), n}, [this](std::vector<std::byte> packet) {
      return dispatch(std::move(packet));
    }));
    LAZYVOL_TRY(flush());  // replies make requests
    taken += n;
    more_ = taken >= kMost;
  }
  return {};
}

Status SftpConnection::dispatch(std::vector<std::byte> packet) {
  replied_ = base::system_clock().now();
  if (!version_) {
    LAZYVOL_TRY_ASSIGN(version_, parse_sftp_version(packet));
    return {};
  }
  LAZYVOL_TRY_ASSIGN(SftpReply reply, parse_sftp_reply(std::move(packet)));
  const auto found = handlers_.find(reply.id);
  if (found == handlers_.end()) {
    return Error{Code::corrupt, "the SFTP server answered what was not asked"};
  }
  const OnReply on_reply = std::move(found->second);
  handlers_.erase(found);
  on_reply(std::move(reply));
  return {};
}

Status SftpConnection::watch_silence() {
  const auto now = base::system_clock().now();
  if (!handlers_.empty() && now - replied_ >= settings_.io_timeout) {
    return Error{Code::unreachable, "the SFTP server answers nothing"};
  }
  if (session_->received() != heard_bytes_ || handlers_.empty()) {
    heard_bytes_ = session_->received();
    heard_ = now;
    probed_ = false;
    return {};
  }
  const auto limit = std::max(settings_.io_timeout / 2, kLeastSilence);
  if (now - heard_ >= limit) {
    return Error{Code::unreachable, "the connection is dead: nothing came for " +
                                        std::to_string(limit.count()) + " ms"};
  }
  if (!probed_ && now - heard_ >= limit / 2) {
    probed_ = true;
    session_->probe();
    return take_in();
  }
  return {};
}

milliseconds SftpConnection::until_next_look() const {
  const auto now = base::system_clock().now();
  const auto limit = std::max(settings_.io_timeout / 2, kLeastSilence);
  auto next = used_ + settings_.idle_timeout;
  if (!handlers_.empty()) {
    next = std::min(heard_ + (probed_ ? limit : limit / 2), replied_ + settings_.io_timeout);
  }
  return std::clamp(std::chrono::ceil<milliseconds>(next - now), milliseconds(1),
                    milliseconds(60'000));
}

void SftpConnection::run_tasks() {
  const std::vector<Task> tasks = std::exchange(mailbox_.lock()->tasks, {});
  for (const Task& task : tasks) task();
}

// Tells everybody who waits, and those who still come.
void SftpConnection::end(const Error& why) {
  ended_ = why;
  for (;;) {
    while (!handlers_.empty()) {
      const OnReply on_reply = std::move(handlers_.begin()->second);
      handlers_.erase(handlers_.begin());
      on_reply(why);
    }
    {
      auto mailbox = mailbox_.lock();
      if (mailbox->tasks.empty()) {
        mailbox->closed = true;
        break;
      }
    }
    run_tasks();
  }
  session_.reset();
  buffer_.reset();
}

bool SftpConnection::post(Task task) {
  {
    auto mailbox = mailbox_.lock();
    if (mailbox->closed) return false;
    mailbox->tasks.push_back(std::move(task));
  }
  wakeup_.signal();
  return true;
}

std::uint32_t SftpConnection::add_handler(OnReply on_reply) {
  const auto now = base::system_clock().now();
  used_ = now;
  if (handlers_.empty()) {
    heard_ = replied_ = now;
    probed_ = false;
  }
  while (handlers_.contains(next_id_)) ++next_id_;
  handlers_.emplace(next_id_, std::move(on_reply));
  return next_id_++;
}

void SftpConnection::path_request(SftpType type, std::string_view path, OnReply on_reply) {
  if (ended_) return on_reply(*ended_);
  put_sftp_path(out_, type, add_handler(std::move(on_reply)), path);
}

void SftpConnection::handle_request(SftpType type, std::string_view handle, OnReply on_reply) {
  if (ended_) return on_reply(*ended_);
  put_sftp_handle(out_, type, add_handler(std::move(on_reply)), handle);
}

void SftpConnection::read_request(std::string_view handle, std::uint64_t offset,
                                  std::uint32_t length, OnReply on_reply) {
  if (ended_) return on_reply(*ended_);
  put_sftp_read(out_, add_handler(std::move(on_reply)), handle, offset, length);
}

void SftpConnection::close_handle(std::string_view handle) {
  handle_request(SftpType::close, handle, [](const Result<SftpReply>&) {});
}

void SftpConnection::note_short_read(std::uint32_t got) {
  read_size_ = std::min(read_size_, std::max(got, kSmallestRead));
}

}  // namespace lazyvol::source
