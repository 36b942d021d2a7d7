// What git wrote to its errors, as an Error.
#pragma once

#include <string>
#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::git {

/// From the last bytes of the errors of a command that failed. The message is `what` and the last
/// line that says something, of at most 300 printable bytes and without user information of URLs.
/// Codes: access_denied (authentication, host keys, ownership), not_found (repository, ref,
/// object), unreachable, timed_out, throttled, no_space, corrupt; io_error for the rest. Pure.
Error git_error(std::string_view what, std::string_view errors);

}  // namespace lazyvol::git
