// A program started as a child process, without a shell.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "lazyvol/error.h"

namespace lazyvol::base {

/// What a child gets for its standard streams; none: /dev/null. Not closed by spawn().
struct ChildStreams {
  std::optional<int> input{}, output{}, errors{};
};

/// Starts `argv` (argv[0] is looked up in $PATH) as the leader of a process group of its own, with
/// the signals as a program expects them. `environment` holds "NAME=value"; none: this process's.
/// The caller waits for the child: end_group(), or waitpid(2). Thread-safe. Errors: io_error when
/// it cannot be run.
Result<pid_t> spawn(const std::vector<std::string>& argv, const ChildStreams& streams,
                    const std::optional<std::vector<std::string>>& environment = {});

/// Kills the child and its process group, and waits for the child.
void end_group(pid_t child);

/// The exit status as a shell has it: 128 + the signal for a child that one ended.
int exit_status(int wait_status);

}  // namespace lazyvol::base
