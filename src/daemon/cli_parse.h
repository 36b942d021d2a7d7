// What all commands do alike: parse with CLI11, complain in one line.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/cli.h"

namespace lazyvol::daemon {

/// `text` on one line: line breaks become "; ", what follows the last one nothing.
std::string one_line(std::string_view text);

/// Parses; nullopt means go on. Else the exit status: 0 after --help or --version, `usage_status`
/// after one line about what is wrong.
std::optional<int> parse_command_line(CLI::App& app, const std::vector<std::string>& arguments,
                                      std::string_view program, Console console,
                                      int usage_status = kExitUsage);

}  // namespace lazyvol::daemon
