#include "git/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/child.h"

extern char** environ;

namespace lazyvol::git {
namespace {

using source::Fd;

constexpr std::size_t kMaxErrors = 8192;
constexpr std::size_t kPiece = 64 * 1024;
// A stop token cannot wake poll(2).
constexpr int kLookMs = 50;
constexpr std::chrono::milliseconds kSilentLook(250);

struct Pipe {
  Fd read, write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error(errno, "pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

// Of git's own variables only those that say how to reach a server or where settings are: others
// would lead it to another repository, or write secrets to a trace.
bool is_inherited(std::string_view variable) {
  const std::string_view name = variable.substr(0, variable.find('='));
  if (name == "LC_ALL" || name == "LANGUAGE" || name == "SSH_ASKPASS") return false;
  if (!name.starts_with("GIT_")) return true;
  return name.starts_with("GIT_SSL_") || name.starts_with("GIT_PROXY_") ||
         name == "GIT_CONFIG_GLOBAL" || name == "GIT_CONFIG_SYSTEM" ||
         name == "GIT_CONFIG_NOSYSTEM" || name == "GIT_EXEC_PATH";
}

std::vector<std::string> environment_of(const Command& command) {
  std::vector<std::string> all;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const std::string_view name = text.substr(0, text.find('='));
    const bool replaced = std::any_of(command.environment.begin(), command.environment.end(),
                                      [&](const auto& one) { return one.first == name; });
    if (is_inherited(text) && !replaced) all.emplace_back(text);
  }
  for (const auto& [name, value] : command.environment) all.push_back(name + "=" + value);
  return all;
}

void make_nonblocking(const Fd& fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

// A child that has gone must not end us: SIGPIPE is ignored by the daemon's main already, but this
// class shall not rely on it.
ssize_t write_quietly(int fd, std::string_view bytes) {
  sigset_t pipe_signal, before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
  const int error = errno;
  if (wrote < 0 && error == EPIPE) {
    const timespec now{};
    while (::sigtimedwait(&pipe_signal, nullptr, &now) < 0 && errno == EINTR) {
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return wrote;
}

}  // namespace

Process::Process(pid_t pid, Fd input, Fd output, Fd errors, Patience patience)
    : pid_(pid),
      input_(std::move(input)),
      output_(std::move(output)),
      errors_fd_(std::move(errors)),
      patience_(std::move(patience)),
      progress_(std::chrono::steady_clock::now()) {
  make_nonblocking(input_);
  make_nonblocking(output_);
  make_nonblocking(errors_fd_);
}

Process::~Process() {
  if (pid_ > 0) base::end_group(pid_);
}

Result<std::unique_ptr<Process>> Process::start(const Command& command, Patience patience) {
  LAZYVOL_TRY_ASSIGN(Pipe input, make_pipe());
  LAZYVOL_TRY_ASSIGN(Pipe output, make_pipe());
  LAZYVOL_TRY_ASSIGN(Pipe errors, make_pipe());
  LAZYVOL_TRY_ASSIGN(const pid_t pid, base::spawn(command.argv,
                                                  {.input = input.read.get(),
                                                   .output = output.write.get(),
                                                   .errors = errors.write.get()},
                                                  environment_of(command)));
  return std::unique_ptr<Process>(new Process(pid, std::move(input.write), std::move(output.read),
                                              std::move(errors.read), std::move(patience)));
}

void Process::progressed() {
  progress_ = std::chrono::steady_clock::now();
  if (patience_.on_progress) patience_.on_progress();
}

void Process::look_at_silent_work() {
  const auto now = std::chrono::steady_clock::now();
  if (!patience_.silent_work || now - looked_ < kSilentLook) return;
  looked_ = now;
  const std::uint64_t work = patience_.silent_work();
  if (std::exchange(silent_work_, work) != work) progressed();
}

Status Process::check_patience() {
  look_at_silent_work();
  if (patience_.stop.stop_requested()) return Error{Code::cancelled, "cancelled"};
  if (std::chrono::steady_clock::now() - progress_ > patience_.no_progress) {
    return Error{Code::timed_out, "git made no progress within the deadline"};
  }
  return {};
}

void Process::push_input() {
  if (input_.get() < 0) return;
  if (!unsent_.empty()) {
    const ssize_t wrote = write_quietly(input_.get(), unsent_);
    if (wrote > 0) {
      unsent_.erase(0, static_cast<std::size_t>(wrote));
      progressed();
    } else if (wrote < 0 && errno != EAGAIN && errno != EINTR) {
      unsent_.clear();  // it does not listen any more: its exit status says why
      input_ = Fd();
    }
  }
  if (unsent_.empty() && ending_) input_ = Fd();
}

void Process::take_errors() {
  std::array<char, 4096> buffer;
  const ssize_t got = ::read(errors_fd_.get(), buffer.data(), buffer.size());
  if (got > 0) {
    errors_.append(buffer.data(), static_cast<std::size_t>(got));
    if (errors_.size() > 2 * kMaxErrors) errors_.erase(0, errors_.size() - kMaxErrors);
    progressed();
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    errors_fd_ = Fd();
  }
}

Result<std::size_t> Process::wait_and_read(std::span<char> room) {
  progress_ = std::chrono::steady_clock::now();
  for (;;) {
    LAZYVOL_TRY(check_patience());
    push_input();
    const bool sends = input_.get() >= 0 && !unsent_.empty();
    std::array<pollfd, 3> ready{{{output_.get(), POLLIN, 0},
                                 {errors_fd_.get(), POLLIN, 0},
                                 {sends ? input_.get() : -1, POLLOUT, 0}}};
    if (::poll(ready.data(), ready.size(), kLookMs) <= 0) continue;
    if (ready[1].revents != 0) take_errors();
    if (ready[0].revents == 0) continue;
    const ssize_t got = ::read(output_.get(), room.data(), room.size());
    if (got >= 0) {
      progressed();
      return static_cast<std::size_t>(got);
    }
    if (errno != EAGAIN && errno != EINTR) return errno_error(errno, "read from git");
  }
}

Result<std::size_t> Process::receive(std::span<char> room) {
  if (received_.size() == received_at_) {
    if (room.size() >= kPiece) return wait_and_read(room);
    received_at_ = 0;
    received_.resize(kPiece);
    auto got = wait_and_read(received_);
    received_.resize(got.ok() ? *got : 0);
    if (!got.ok() || *got == 0) return got;
  }
  const std::size_t kept = received_.size() - received_at_;
  const std::size_t count = std::min(kept, room.size());
  std::memcpy(room.data(), received_.data() + received_at_, count);
  received_at_ += count;
  if (received_at_ == received_.size()) {
    received_.clear();
    received_at_ = 0;
  }
  return count;
}

Result<std::string> Process::receive_exactly(std::size_t count) {
  std::string out(count, '\0');
  std::size_t have = 0;
  while (have < count) {
    LAZYVOL_TRY_ASSIGN(const std::size_t got, receive(std::span(out).subspan(have)));
    if (got == 0) return Error{Code::io_error, "git ended in the middle of an answer"};
    have += got;
  }
  return out;
}

Result<std::string> Process::receive_line(char end, std::size_t most) {
  std::size_t looked = received_at_;
  for (;;) {
    if (const auto at = received_.find(end, looked); at != std::string::npos) {
      std::string line = received_.substr(received_at_, at - received_at_);
      received_at_ = at + 1;
      return line;
    }
    if (received_.size() - received_at_ > most) {
      return Error{Code::io_error, "git's answer has an endless line"};
    }
    received_.erase(0, std::exchange(received_at_, 0));
    looked = received_.size();
    std::string piece(kPiece, '\0');
    LAZYVOL_TRY_ASSIGN(const std::size_t got, wait_and_read(piece));
    if (got == 0) return Error{Code::io_error, "git ended in the middle of an answer"};
    received_.append(piece, 0, got);
  }
}

Result<int> Process::finish() {
  ending_ = true;
  std::string dropped(kPiece, '\0');
  for (;;) {
    LAZYVOL_TRY_ASSIGN(const std::size_t got, receive(dropped));
    if (got == 0) break;
  }
  // It closed its output: that it also ends is not left to it.
  int status = 0;
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    LAZYVOL_TRY(check_patience());
    constexpr int kEndLookMs = 2;
    pollfd errors{errors_fd_.get(), POLLIN, 0};
    if (::poll(&errors, 1, kEndLookMs) > 0) take_errors();
  }
  if (errors_fd_.get() >= 0) take_errors();
  pid_ = -1;
  return base::exit_status(status);
}

Result<Finished> run(const Command& command, std::string_view input, const Patience& patience,
                     std::size_t most, const std::function<Status(std::string_view)>& on_output) {
  LAZYVOL_TRY_ASSIGN(const auto process, Process::start(command, patience));
  process->send(input);
  process->end_input();
  Finished finished;
  std::string piece(kPiece, '\0');
  for (;;) {
    LAZYVOL_TRY_ASSIGN(const std::size_t got, process->receive(piece));
    if (got == 0) break;
    const std::string_view bytes(piece.data(), got);
    if (on_output) {
      LAZYVOL_TRY(on_output(bytes));
    } else if (finished.output.size() + got > most) {
      return Error{Code::too_large,
                   "git's answer has more than " + std::to_string(most) + " bytes"};
    } else {
      finished.output.append(bytes);
    }
  }
  LAZYVOL_TRY_ASSIGN(finished.status, process->finish());
  finished.errors = process->errors();
  return finished;
}

}  // namespace lazyvol::git
