// What all commands do alike: parse with CLI11, complain in one line.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/cli.h"

namespace lazyvol::daemon {

/// `text` on one line: line breaks become "; ", what follows the last one nothing.
std::string one_line(std::string_view text);

/// `path` for one line of text: control characters and backslashes as \xHH.
std::string printable(std::string_view path);

/// The command that the command line named.
using Command = std::function<int(Console)>;
/// Add commands to `app`; parsing one sets `command`, which must outlive `app`.
void add_publish_commands(CLI::App& app, Command& command);  ///< publish, keygen
void add_volume_commands(CLI::App& app, Command& command);   ///< revisions, diff
void add_verify_commands(CLI::App& app, Command& command);   ///< verify, gc

/// Parses; nullopt means go on. Else the exit status: 0 after --help or --version, `usage_status`
/// after one line about what is wrong.
std::optional<int> parse_command_line(CLI::App& app, const std::vector<std::string>& arguments,
                                      std::string_view program, Console console,
                                      int usage_status = kExitUsage);

}  // namespace lazyvol::daemon
