#include "fuse/fusermount.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace lazyvol::fuse {
namespace {

/// The first line of what comes from `fd` until its end; a few hundred bytes at most.
std::string read_line(int fd) {
  char text[512];
  std::size_t length = 0;
  while (length < sizeof text) {
    const ssize_t n = read(fd, text + length, sizeof text - length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    length += static_cast<std::size_t>(n);
  }
  const std::string_view all(text, length);
  return std::string(all.substr(0, all.find('\n')));
}

/// After fork(): nothing here may allocate.
[[noreturn]] void become_fusermount(char* const* argv, char* const* environment, int comm_fd,
                                    int words) {
  if (comm_fd >= 0) fcntl(comm_fd, F_SETFD, 0);
  dup2(words, STDERR_FILENO);
  execve("/usr/bin/fusermount3", argv, environment);
  _exit(127);
}

Status explain(int status, const std::string& said) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
    return Error{Code::access_denied, "fusermount3 is not installed (package fuse3)"};
  }
  const bool busy = said.find("busy") != std::string::npos;
  return Error{busy ? Code::busy : Code::access_denied, said.empty() ? "fusermount3 failed" : said};
}

}  // namespace

Status run_fusermount(std::vector<std::string> arguments, int comm_fd,
                      const std::function<void()>& meanwhile) {
  arguments.insert(arguments.begin(), "fusermount3");
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::string path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  std::string comm = "_FUSE_COMMFD=" + std::to_string(comm_fd);
  char* environment[] = {path.data(), comm_fd >= 0 ? comm.data() : nullptr, nullptr};
  int words[2];
  if (pipe2(words, O_CLOEXEC) != 0) {
    const Error error = errno_error(errno, "pipe");
    if (comm_fd >= 0) close(comm_fd);
    return error;
  }
  const pid_t child = fork();
  if (child == 0) become_fusermount(argv.data(), environment, comm_fd, words[1]);
  const int fork_errno = errno;
  close(words[1]);
  if (comm_fd >= 0) close(comm_fd);
  if (child < 0) {
    close(words[0]);
    return errno_error(fork_errno, "fork");
  }
  if (meanwhile) meanwhile();
  const std::string said = read_line(words[0]);
  close(words[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return explain(status, said);
}

}  // namespace lazyvol::fuse
