// Several threads for one loop.
#pragma once

#include <cstddef>
#include <functional>
#include <stop_token>

#include "lazyvol/error.h"

namespace lazyvol::publish {

/// As many threads as there are cores when `wanted` is 0, else `wanted`; at most 64.
unsigned thread_count(unsigned wanted);

/// Runs task(0) … task(count - 1) in this order, on up to `threads` threads of which the caller's
/// is one, and returns when none runs any more. After an error or a stop, tasks that have not begun
/// never do. The answer is the first error in order of time; cancelled after a stop.
Status parallel_for(std::size_t count, unsigned threads, const std::stop_token& stop,
                    const std::function<Status(std::size_t)>& task);

}  // namespace lazyvol::publish
