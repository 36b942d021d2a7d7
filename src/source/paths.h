// Volume-relative paths, as the Source contract has them.
#pragma once

#include <string>
#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::source {

/// Checks that every component of `path` is a valid_name() and that the whole is at most kMaxPath
/// bytes; "" is the root. This is the first of two guards against leaving the root (the second is
/// the source's own: openat2, or names that are percent-encoded one by one). Errors: name_too_long,
/// invalid_argument.
Status check_path(std::string_view path);

/// What follows the last '/'; "" for the root.
std::string_view last_component(std::string_view path);

/// `text` fit for one line of a message: at most 80 bytes, others than printable ASCII as '?'.
std::string printable(std::string_view text);

}  // namespace lazyvol::source
