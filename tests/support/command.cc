#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "support/servers.h"

namespace lazyvol::testing {

CommandResult run(const std::vector<std::string>& argv) {
  std::vector<char*> pointers;
  for (const auto& word : argv) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);

  // A file in memory and not a pipe: a daemon that the command leaves behind may keep it open.
  const int output = ::memfd_create("command-output", MFD_CLOEXEC);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(null, 0);
    ::dup2(output, 1);
    ::dup2(output, 2);
    ::execvp(pointers[0], pointers.data());
    ::_exit(127);
  }
  ::close(null);
  CommandResult result{127, {}};
  int status = 0;
  if (pid > 0 && ::waitpid(pid, &status, 0) == pid) {
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::array<char, 65536> buffer;
  off_t offset = 0;
  for (;;) {
    const ssize_t got = ::pread(output, buffer.data(), buffer.size(), offset);
    if (got <= 0) break;
    result.output.append(buffer.data(), static_cast<std::size_t>(got));
    offset += got;
  }
  ::close(output);
  return result;
}

}  // namespace lazyvol::testing
