// A program that prints keys (credential_process of an AWS profile).
#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "lazyvol/error.h"

namespace lazyvol::net {

/// Takes a command line apart at white space, with '…' , "…" and backslashes as a shell has them
/// and nothing else: no variables, no substitution. Errors: invalid_argument (an open quote,
/// nothing at all). Pure.
Result<std::vector<std::string>> split_command(std::string_view line);

/// Runs `argv` (looked up in $PATH, no shell, no input, its stderr dropped) and gives what it
/// printed, 64 KiB at most. It is killed, with its process group, after `patience` or when `stop`
/// is requested. Blocks. Errors: io_error (cannot be run, exit status not 0), timed_out, cancelled,
/// too_large. Messages name the program, not its arguments and output. Thread-safe.
Result<std::string> run_key_command(const std::vector<std::string>& argv,
                                    std::chrono::milliseconds patience,
                                    const std::stop_token& stop);

}  // namespace lazyvol::net
