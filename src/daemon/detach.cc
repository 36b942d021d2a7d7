#include "daemon/detach.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace lazyvol::daemon {
namespace {

constexpr char kReady = 'R';
constexpr char kFailed = 'F';

void write_all(int fd, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // the parent is gone: nobody to tell
    done += static_cast<std::size_t>(n);
  }
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 512> buffer{};
  for (;;) {
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

/// Leaves the caller's session, directory and files behind (an inherited pipe that stays open would
/// make the caller's caller wait for ever); keeps `pipe`, which becomes descriptor 3.
int leave_terminal(int pipe) {
  setsid();
  if (chdir("/") != 0) std::abort();  // cannot be: / exists
  constexpr int kKept = STDERR_FILENO + 1;
  if (pipe != kKept) dup3(pipe, kKept, O_CLOEXEC);
  close_range(kKept + 1, ~0U, 0);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return kKept;
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
  close(null);
  return kKept;
}

}  // namespace

StartReport::~StartReport() {
  if (fd_ >= 0) close(fd_);
}

void StartReport::ready() {
  write_all(fd_, std::string(1, kReady));
  close(fd_);
  fd_ = -1;
}

void StartReport::failed(const std::string& message, int status) {
  write_all(fd_, std::string(1, kFailed) + static_cast<char>(status) + message);
  close(fd_);
  fd_ = -1;
}

DetachResult detach(const std::function<int(StartReport&)>& body) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return {1, std::string("pipe: ") + std::strerror(errno)};
  const pid_t child = fork();
  if (child < 0) {
    const int error = errno;
    close(ends[0]);
    close(ends[1]);
    return {1, std::string("fork: ") + std::strerror(error)};
  }
  if (child == 0) {
    int status = 0;
    {
      StartReport report(leave_terminal(ends[1]));
      status = body(report);
    }
    std::exit(status);
  }
  close(ends[1]);
  const std::string report = read_all(ends[0]);
  close(ends[0]);
  if (!report.empty() && report[0] == kReady) return {0, {}};
  if (report.size() >= 2 && report[0] == kFailed) return {report[1], report.substr(2)};
  return {1, "died while starting; see its log"};
}

}  // namespace lazyvol::daemon
