#include "base/child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

extern char** environ;

namespace lazyvol::base {
namespace {

struct Settings {
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  explicit Settings(const ChildStreams& streams) {
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    give(streams.input, STDIN_FILENO);
    give(streams.output, STDOUT_FILENO);
    give(streams.errors, STDERR_FILENO);
  }
  ~Settings() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

  void give(const std::optional<int>& fd, int as) {
    if (fd) {
      posix_spawn_file_actions_adddup2(&actions, *fd, as);
    } else {
      posix_spawn_file_actions_addopen(&actions, as, "/dev/null", O_RDWR, 0);
    }
  }
};

// spawn(3) takes char*, and changes nothing of it.
std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const std::string& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

Result<pid_t> spawn(const std::vector<std::string>& argv, const ChildStreams& streams,
                    const std::optional<std::vector<std::string>>& environment) {
  const Settings settings(streams);
  const std::vector<char*> words = pointers(argv);
  const std::vector<char*> variables = environment ? pointers(*environment) : std::vector<char*>();
  pid_t child = -1;
  const int error = ::posix_spawnp(&child, words[0], &settings.actions, &settings.attributes,
                                   words.data(), environment ? variables.data() : environ);
  if (error == 0) return child;
  Error failed = errno_error(error, "cannot run " + argv[0]);
  failed.code = Code::io_error;  // that the program is missing proves nothing about what it is for
  return failed;
}

void end_group(pid_t child) {
  ::kill(-child, SIGKILL);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

int exit_status(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

}  // namespace lazyvol::base
