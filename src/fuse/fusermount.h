// fusermount3(1): mounts and unmounts for users who are not root.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lazyvol/error.h"

namespace lazyvol::fuse {

/// Runs it and waits for its end. `comm_fd` (-1: none) is the socket over which it sends the
/// descriptor of a new mount; it is closed here once the program has its own. `meanwhile` (may be
/// null) is called while the program runs. Thread-safe.
/// Errors: busy or access_denied with the program's own words, access_denied when it is not
/// installed, errno of pipe(2) and fork(2).
Status run_fusermount(std::vector<std::string> arguments, int comm_fd,
                      const std::function<void()>& meanwhile);

}  // namespace lazyvol::fuse
