// profile record, show, replay: what a workload reads first.
#pragma once

#include <CLI/CLI.hpp>

#include "daemon/cli_parse.h"

namespace lazyvol::daemon {

/// Adds the commands; `run` becomes the one that was named. `app` must not outlive `run`.
void add_profile_commands(CLI::App& app, Command& run);

}  // namespace lazyvol::daemon
