// What the commands about a published volume share: VOLUME, and how failures end.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "daemon/cli.h"
#include "daemon/interrupt.h"
#include "lazyvol/error.h"
#include "model/options.h"
#include "publish/store.h"

namespace lazyvol::daemon {

/// -o of a command line: how the server of a URL is reached, as for mounts.
struct OriginOptions {
  std::vector<std::string> texts;

  /// Adds it to `app`, which it must outlive the parsing of.
  void add_to(CLI::App& app);
  /// For `url`; a bucket is waited for with more patience than a mount would have, because nobody
  /// reads meanwhile. Errors: invalid_argument.
  Result<model::MountOptions> parse(const std::string& url) const;
};

/// VOLUME and -o of a command line.
struct VolumeArgument {
  std::string text;
  OriginOptions options;

  /// Adds both to `app`, of which the argument must outlive the parsing.
  void add_to(CLI::App& app);
  /// `stop` ends what waits for a server. Errors: invalid_argument (usage), unsupported, not_found,
  /// ….
  Result<std::unique_ptr<publish::Store>> open(std::stop_token stop) const;
};

/// Complains of what the command line says. Answers with the exit status: usage, but for files and
/// volumes that cannot be had.
int refuse(Console console, const Error& error);
/// The same, unless the command was stopped meanwhile.
int refuse(Console console, const Error& error, const Interrupt& interrupt);
/// Complains of how a command ended, or says that it was stopped if `interrupt` was why. Answers
/// with the exit status.
int end_with(Console console, const Error& error, const Interrupt& interrupt);

/// "2026-11-25 22:10:00Z" of nanoseconds since 1970; the second form has no space.
std::string shown_time(std::int64_t ns, char between = ' ');

/// `path` for JSON: as it is if it is UTF-8; what is not gets U+FFFD, and path_hex tells.
std::string hex_unless_utf8(const std::string& path);

}  // namespace lazyvol::daemon
