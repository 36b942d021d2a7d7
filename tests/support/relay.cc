#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "support/servers.h"

namespace lazyvol::testing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kChunk = 256 * 1024;
constexpr std::size_t kMaxQueued = 64 << 20;  // bytes under way in one direction of a connection
constexpr int kReadsPerTurn = 8;              // so that one connection does not starve the others

struct Settings {
  std::chrono::milliseconds delay{0};
  bool stalled = false, refusing = false, stop = false;
  std::uint64_t cut_after = 0, corrupt_after = 0;
  std::uint64_t cuts = 0;         // cut_all() calls so far
  std::uint64_t corruptions = 0;  // set_corrupt_after() calls so far
};

struct Segment {
  Clock::time_point due;
  std::unique_ptr<char[]> bytes;
  std::size_t size = 0, done = 0;
};

/// One direction of a connection.
struct Direction {
  int from = -1, to = -1;
  std::deque<Segment> queue;
  std::size_t queued = 0;
  bool read_end = false, write_end = false, write_blocked = false;
  Clock::time_point end_due;
  std::uint64_t forwarded = 0;

  bool readable() const { return !read_end && queued < kMaxQueued; }
};

struct Connection {
  int client = -1, server = -1;
  Clock::time_point opened;
  Direction request, response;
  std::uint64_t cut_after = 0;
  std::uint64_t corruption = 0, corrupt_at = 0;  // which setting, and the offset it means here
  std::map<int, std::uint32_t> interest;         // what epoll was told
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void set_no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

// The loop thread owns everything but `settings` and the counters beside it. Setters return once
// the loop has taken their change over.
struct Relay::Impl {
  std::uint16_t target = 0, port = 0;
  int listener = -1, epoll = -1, timer = -1, wake = -1;
  std::atomic<std::uint64_t> accepted{0};

  std::mutex mutex;
  std::condition_variable applied_changed;
  Settings settings;                       // guarded by mutex
  std::uint64_t version = 0, applied = 0;  // guarded by mutex

  Settings now;  // the loop's copy
  std::map<int, std::shared_ptr<Connection>> by_fd;
  std::unique_ptr<char[]> spare;
  std::thread thread;

  void change(const std::function<void(Settings&)>& edit);
  void loop();
  void take_settings();
  void accept_one();
  void pump(const std::shared_ptr<Connection>& connection);
  bool fill(Connection& connection, Direction& direction);
  bool drain(Connection& connection, Direction& direction);
  bool write_segment(Connection& connection, Direction& direction, Segment& segment);
  void set_interest(Connection& connection, int fd, const Direction& in, const Direction& out);
  void close(const std::shared_ptr<Connection>& connection);
  void arm_timer();
  std::vector<std::shared_ptr<Connection>> all() const;
};

void Relay::Impl::change(const std::function<void(Settings&)>& edit) {
  std::unique_lock lock(mutex);
  edit(settings);
  const std::uint64_t mine = ++version;
  const std::uint64_t one = 1;
  if (::write(wake, &one, sizeof one) < 0) return;
  applied_changed.wait(lock, [&] { return applied >= mine; });
}

std::vector<std::shared_ptr<Connection>> Relay::Impl::all() const {
  std::vector<std::shared_ptr<Connection>> out;
  for (const auto& [fd, connection] : by_fd) {
    if (fd == connection->client) out.push_back(connection);
  }
  return out;
}

void Relay::Impl::take_settings() {
  std::uint64_t count = 0;
  if (::read(wake, &count, sizeof count) < 0) return;
  const auto cuts_before = now.cuts;
  std::uint64_t taken = 0;
  {
    std::lock_guard lock(mutex);
    now = settings;
    taken = version;
  }
  for (const auto& connection : all()) {
    if (now.cuts != cuts_before)
      close(connection);
    else
      pump(connection);
  }
  {
    std::lock_guard lock(mutex);
    applied = taken;
  }
  applied_changed.notify_all();
}

void Relay::Impl::accept_one() {
  const int client = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client < 0) return;
  ++accepted;
  const auto address = loopback(target);
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const bool begun =
      !now.refusing &&
      (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
       errno == EINPROGRESS);
  if (!begun) {
    const linger reset{1, 0};
    ::setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    ::close(client);
    ::close(server);
    return;
  }
  set_no_delay(client);
  set_no_delay(server);
  auto connection = std::make_shared<Connection>();
  connection->client = client;
  connection->server = server;
  connection->opened = Clock::now();
  connection->request.from = connection->response.to = client;
  connection->request.to = connection->response.from = server;
  connection->cut_after = now.cut_after;
  by_fd[client] = by_fd[server] = connection;
  pump(connection);
}

/// Reads what has arrived. False when the connection is broken.
bool Relay::Impl::fill(Connection& connection, Direction& direction) {
  for (int turn = 0; turn < kReadsPerTurn && direction.readable(); ++turn) {
    if (!spare) spare.reset(new char[kChunk]);
    const ssize_t got = ::recv(direction.from, spare.get(), kChunk, 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
    // Opening the connection cost the client one round trip that a relay cannot delay: the first
    // bytes pay for it.
    auto due = Clock::now();
    if (&direction == &connection.request) due = std::max(due, connection.opened + 2 * now.delay);
    due += now.delay;
    if (got == 0) {
      direction.read_end = true;
      direction.end_due = due;
      break;
    }
    Segment segment{due, nullptr, static_cast<std::size_t>(got), 0};
    if (segment.size >= kChunk / 4) {
      segment.bytes = std::move(spare);
    } else {
      segment.bytes.reset(new char[segment.size]);
      std::memcpy(segment.bytes.get(), spare.get(), segment.size);
    }
    direction.queued += segment.size;
    direction.queue.push_back(std::move(segment));
  }
  return true;
}

/// Writes part of a segment, with the faults. False when the connection is broken or to be cut.
bool Relay::Impl::write_segment(Connection& connection, Direction& direction, Segment& segment) {
  std::size_t length = segment.size - segment.done;
  char* bytes = segment.bytes.get() + segment.done;
  if (&direction == &connection.response) {
    if (connection.cut_after > 0) {
      length = std::min<std::uint64_t>(length, connection.cut_after - direction.forwarded);
    }
    if (connection.corruption != now.corruptions) {
      connection.corruption = now.corruptions;
      connection.corrupt_at = direction.forwarded + now.corrupt_after;
    }
    const auto at = connection.corrupt_at;
    if (now.corrupt_after > 0 && at >= direction.forwarded && at < direction.forwarded + length) {
      bytes[at - direction.forwarded] ^= 1;
      connection.corrupt_at = 0;
    }
  }
  const ssize_t put = ::send(direction.to, bytes, length, MSG_NOSIGNAL);
  if (put < 0) {
    direction.write_blocked = errno == EAGAIN || errno == ENOTCONN;
    return direction.write_blocked || errno == EINTR;
  }
  segment.done += static_cast<std::size_t>(put);
  direction.forwarded += static_cast<std::size_t>(put);
  direction.queued -= static_cast<std::size_t>(put);
  return !(&direction == &connection.response && connection.cut_after > 0 &&
           direction.forwarded >= connection.cut_after);
}

/// Passes on what is due. False when the connection is broken or to be cut.
bool Relay::Impl::drain(Connection& connection, Direction& direction) {
  direction.write_blocked = false;
  if (now.stalled || direction.write_end) return true;
  const auto moment = Clock::now();
  while (!direction.queue.empty() && direction.queue.front().due <= moment) {
    auto& segment = direction.queue.front();
    if (!write_segment(connection, direction, segment)) return false;
    if (direction.write_blocked) return true;
    if (segment.done == segment.size) {
      if (!spare && segment.size >= kChunk / 4) spare = std::move(segment.bytes);
      direction.queue.pop_front();
    }
  }
  if (direction.queue.empty() && direction.read_end && direction.end_due <= moment) {
    ::shutdown(direction.to, SHUT_WR);
    direction.write_end = true;
  }
  return true;
}

void Relay::Impl::pump(const std::shared_ptr<Connection>& connection) {
  Connection& c = *connection;
  for (Direction* direction : {&c.request, &c.response}) {
    if (!fill(c, *direction) || !drain(c, *direction)) return close(connection);
  }
  if (c.request.write_end && c.response.write_end) return close(connection);
  set_interest(c, c.client, c.request, c.response);
  set_interest(c, c.server, c.response, c.request);
}

/// `in` reads from `fd`, `out` writes to it.
void Relay::Impl::set_interest(Connection& connection, int fd, const Direction& in,
                               const Direction& out) {
  std::uint32_t wanted = 0;
  if (in.readable()) wanted |= EPOLLIN;
  if (out.write_blocked) wanted |= EPOLLOUT;
  const auto known = connection.interest.find(fd);
  // An fd that nothing is wanted of leaves the set: EPOLLHUP would be reported for it without end.
  if (wanted == 0) {
    if (known == connection.interest.end()) return;
    ::epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr);
    connection.interest.erase(known);
    return;
  }
  if (known != connection.interest.end() && known->second == wanted) return;
  epoll_event event{};
  event.events = wanted;
  event.data.fd = fd;
  ::epoll_ctl(epoll, known == connection.interest.end() ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd,
              &event);
  connection.interest[fd] = wanted;
}

void Relay::Impl::close(const std::shared_ptr<Connection>& connection) {
  for (const int fd : {connection->client, connection->server}) {
    if (by_fd.erase(fd) > 0) ::close(fd);
  }
}

/// Sleeps no longer than until the first segment that is not yet due.
void Relay::Impl::arm_timer() {
  auto next = Clock::time_point::max();
  for (const auto& [fd, connection] : by_fd) {
    if (now.stalled || fd != connection->client) continue;
    for (const auto* direction : {&connection->request, &connection->response}) {
      if (direction->write_blocked || direction->write_end) continue;
      if (!direction->queue.empty())
        next = std::min(next, direction->queue.front().due);
      else if (direction->read_end)
        next = std::min(next, direction->end_due);
    }
  }
  itimerspec when{};
  if (next != Clock::time_point::max()) {
    const auto ns = std::max<std::int64_t>(
        1, std::chrono::duration_cast<std::chrono::nanoseconds>(next.time_since_epoch()).count());
    when.it_value.tv_sec = ns / 1'000'000'000;
    when.it_value.tv_nsec = ns % 1'000'000'000;
  }
  ::timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, nullptr);
}

void Relay::Impl::loop() {
  while (!now.stop) {
    arm_timer();
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == wake) {
        take_settings();
      } else if (fd == listener) {
        accept_one();
      } else if (fd == timer) {
        std::uint64_t expirations = 0;
        if (::read(timer, &expirations, sizeof expirations) < 0) continue;
        for (const auto& connection : all()) pump(connection);
      } else if (const auto found = by_fd.find(fd); found != by_fd.end()) {
        pump(std::shared_ptr(found->second));
      }
    }
  }
  for (const auto& connection : all()) close(connection);
}

Relay::Relay(std::uint16_t target_port) : impl_(std::make_unique<Impl>()) {
  Impl& r = *impl_;
  r.target = target_port;
  r.listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  auto address = loopback(0);
  socklen_t length = sizeof address;
  if (::bind(r.listener, reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      ::listen(r.listener, 1024) != 0) {
    std::abort();
  }
  ::getsockname(r.listener, reinterpret_cast<sockaddr*>(&address), &length);
  r.port = ntohs(address.sin_port);
  r.epoll = ::epoll_create1(EPOLL_CLOEXEC);
  r.timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  r.wake = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  for (const int fd : {r.listener, r.timer, r.wake}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(r.epoll, EPOLL_CTL_ADD, fd, &event);
  }
  r.thread = std::thread([this] { impl_->loop(); });
}

Relay::~Relay() {
  impl_->change([](Settings& s) { s.stop = true; });
  impl_->thread.join();
  for (const int fd : {impl_->listener, impl_->epoll, impl_->timer, impl_->wake}) ::close(fd);
}

std::uint16_t Relay::port() const {
  return impl_->port;
}

void Relay::set_delay(std::chrono::milliseconds one_way) {
  impl_->change([&](Settings& s) { s.delay = one_way; });
}

void Relay::set_stalled(bool stalled) {
  impl_->change([&](Settings& s) { s.stalled = stalled; });
}

void Relay::cut_all() {
  impl_->change([](Settings& s) { ++s.cuts; });
}

void Relay::set_cut_after(std::uint64_t response_bytes) {
  impl_->change([&](Settings& s) { s.cut_after = response_bytes; });
}

void Relay::set_refusing(bool refusing) {
  impl_->change([&](Settings& s) { s.refusing = refusing; });
}

void Relay::set_corrupt_after(std::uint64_t response_bytes) {
  impl_->change([&](Settings& s) {
    s.corrupt_after = response_bytes;
    ++s.corruptions;
  });
}

std::uint64_t Relay::connections() const {
  return impl_->accepted;
}

}  // namespace lazyvol::testing
