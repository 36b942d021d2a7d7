#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "base/log.h"
#include "daemon/cli.h"
#include "daemon/cli_commands.h"
#include "daemon/cli_parse.h"
#include "daemon/cli_profile.h"
#include "model/options.h"

namespace lazyvol::daemon {
namespace {

/// The command line as CLI11 fills it in; `run` is the command that was named.
struct CommandLine {
  MountCommand mount;
  std::string mountpoint, cache_dir, size;
  std::vector<std::string> paths, limits;
  bool lazy = false, json = false;
  Command run;
};

std::string option_table() {
  std::string text = "Mount options (-o), see also mount.lazyvol(8):\n";
  for (const auto& option : model::mount_option_help()) {
    const std::string name = option.argument.empty()
                                 ? std::string(option.name)
                                 : fmt::format("{}={}", option.name, option.argument);
    text += fmt::format("  {:<30} {}\n", name, option.meaning);
  }
  return text;
}

int exit_status(MountFailure::Kind kind) {
  return kind == MountFailure::Kind::usage ? kExitUsage : kExitMountFailure;
}

void add_mount(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand("mount", "Mount SOURCE, read-only and lazily, on MOUNTPOINT");
  command
      ->add_option("SOURCE", line.mount.source,
                   "https://host/dir/, http://host/file, /path or file:///path")
      ->required();
  command->add_option("MOUNTPOINT", line.mount.mountpoint, "an existing directory")->required();
  command->add_option("-o,--options", line.mount.options, "mount options, comma-separated")
      ->type_name("OPT,...")
      ->allow_extra_args(false);
  command->add_flag("-f,--foreground", line.mount.foreground,
                    "serve from this process until it is unmounted or interrupted");
  command->footer(option_table());
  command->callback([&line] {
    line.run = [&line](Console console) {
      const auto failure = run_mount(line.mount, console);
      return failure ? complain(console, failure->message, exit_status(failure->kind)) : kExitOk;
    };
  });
}

void add_umount(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand("umount", "Unmount MOUNTPOINT, also when its daemon is gone");
  command->add_option("MOUNTPOINT", line.mountpoint, "where it is mounted")->required();
  command->add_flag("-l,--lazy", line.lazy, "also when it is busy: hide it now, end it later");
  command->callback([&line] {
    line.run = [&line](Console console) { return run_umount(line.mountpoint, line.lazy, console); };
  });
}

void add_status(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand("status", "Show daemons, mounts and their figures");
  command->add_option("MOUNTPOINT", line.mountpoint, "this mount only");
  command->add_flag("--json", line.json, "one JSON document per daemon and line");
  command->callback([&line] {
    line.run = [&line](Console console) { return run_status(line.mountpoint, line.json, console); };
  });
}

void add_contents(CLI::App& app, CommandLine& line) {
  auto* prefetch = app.add_subcommand(
      "prefetch", "Fetch files, and directories with all below them, into the cache");
  prefetch->add_option("PATH", line.paths, "files or directories on a lazyvol mount")->required();
  prefetch->callback([&line] {
    line.run = [&line](Console console) { return run_prefetch(line.paths, console); };
  });
  auto* evict = app.add_subcommand("evict", "Drop files, or all below directories, from the cache");
  evict->add_option("PATH", line.paths, "files or directories on a lazyvol mount")->required();
  evict->callback(
      [&line] { line.run = [&line](Console console) { return run_evict(line.paths, console); }; });
  auto* refresh = app.add_subcommand("refresh", "Look now whether the origin has changed");
  refresh->add_option("MOUNTPOINT", line.mountpoint, "a lazyvol mount")->required();
  refresh->callback([&line] {
    line.run = [&line](Console console) { return run_refresh(line.mountpoint, console); };
  });
}

void add_cache(CLI::App& app, CommandLine& line) {
  auto* cache = app.add_subcommand("cache", "Show, verify or shrink a block cache");
  const auto add = [&](const char* name, const char* meaning) {
    auto* command = cache->add_subcommand(name, meaning);
    command->add_option("--cache-dir", line.cache_dir, "the cache (default: this user's)")
        ->type_name("DIR");
    return command;
  };
  add("status", "Show what the cache holds")->callback([&line] {
    line.run = [&line](Console console) { return run_cache_status(line.cache_dir, console); };
  });
  add("check", "Verify every block; damaged ones are dropped (exit 1 when there were any)")
      ->callback([&line] {
        line.run = [&line](Console console) { return run_cache_check(line.cache_dir, console); };
      });
  auto* trim = add("trim", "Drop blocks that are not in use");
  trim->add_option("--to", line.size, "until this much is stored (default 0)")->type_name("SIZE");
  trim->callback([&line] {
    line.run = [&line](Console console) {
      return run_cache_trim(line.cache_dir, line.size, console);
    };
  });
}

void add_limit(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand("limit", "Change limits of a running daemon");
  command->add_option("--cache-dir", line.cache_dir, "whose daemon (default: this user's)")
      ->type_name("DIR");
  command
      ->add_option("OPTION", line.limits,
                   "download-limit=SIZE (per second; 0: none), cache-size=SIZE, "
                   "free-space-ratio=RATIO")
      ->required();
  command->callback([&line] {
    line.run = [&line](Console console) { return run_limit(line.cache_dir, line.limits, console); };
  });
}

/// Nothing of ours throws; a library might (out of memory). The user gets a line all the same.
int run_guarded(const std::function<int()>& run, Console console, int status) {
  try {
    return run();
  } catch (const std::exception& error) {
    return complain(console, std::string("unexpected: ") + error.what(), status);
  }
}

/// Options that this version does not know, taken out for mount(8)'s -s ("sloppy").
std::string without_unknown_options(const std::string& text) {
  std::string kept, word;
  const auto keep = [&] {
    const auto parsed = model::parse_mount_options(word);
    const bool unknown = !parsed.ok() && parsed.error().code == Code::invalid_argument;
    std::string name = word.substr(0, word.find('='));
    for (char& c : name) c = c == '_' ? '-' : c;
    bool ours = false;
    for (const auto& option : model::mount_option_help()) ours = ours || option.name == name;
    if (!unknown || ours) kept += (kept.empty() ? "" : ",") + word;
    word.clear();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',' && (i == 0 || text[i - 1] != '\\')) {
      keep();
    } else {
      word += text[i];
    }
  }
  keep();
  return kept;
}

/// mount(8) passes "rw" to its helpers when nothing else was asked for, so here it asks for
/// nothing.
std::string without_rw(const std::string& text) {
  std::string padded = "," + text + ",";
  for (std::size_t at; (at = padded.find(",rw,")) != std::string::npos;) padded.erase(at, 3);
  return padded.size() <= 2 ? std::string() : padded.substr(1, padded.size() - 2);
}

int helper_exit_status(MountFailure::Kind kind) {
  switch (kind) {
    case MountFailure::Kind::usage:
    case MountFailure::Kind::permission:
      return 1;
    case MountFailure::Kind::system:
      return 2;
    case MountFailure::Kind::mount:
      return kExitMountFailure;
  }
  return kExitMountFailure;
}

}  // namespace

int lazyvol_main(const std::vector<std::string>& arguments, Console console) {
  CLI::App app("Mounts remote trees read-only and lazily, through a verified block cache.",
               "lazyvol");
  app.set_version_flag("--version", "lazyvol " LAZYVOL_VERSION);
  app.footer(
      "Exit status: 0 done, 1 failed, 2 usage, 32 nothing was mounted or unmounted, 130 and 143 "
      "stopped\n"
      "by SIGINT and SIGTERM.");
  CommandLine line;
  add_mount(app, line);
  add_umount(app, line);
  add_status(app, line);
  add_contents(app, line);
  add_cache(app, line);
  add_limit(app, line);
  add_profile_commands(app, line.run);
  add_publish_commands(app, line.run);
  add_volume_commands(app, line.run);
  add_verify_commands(app, line.run);
  if (auto status = parse_command_line(app, arguments, "lazyvol", console)) return *status;
  if (!line.run) {  // asked here, so that an unknown word is named instead
    return complain(console, "a command is needed (see lazyvol --help)", kExitUsage);
  }
  base::log_to_stderr(base::LogLevel::warn);  // stdout is for results
  return run_guarded([&] { return line.run(console); }, console, kExitFailed);
}

int mount_lazyvol_main(const std::vector<std::string>& arguments, Console console) {
  CLI::App app("Mounts SOURCE on DIR for mount(8): mount -t lazyvol SOURCE DIR -o OPT,...",
               "mount.lazyvol");
  app.set_version_flag("-V,--version", "mount.lazyvol " LAZYVOL_VERSION);
  MountCommand mount;
  bool sloppy = false, verbose = false, no_mtab = false;
  std::string type;
  app.add_option("SOURCE", mount.source, "what to mount")->required();
  app.add_option("DIR", mount.mountpoint, "where")->required();
  app.add_option("-o", mount.options, "mount options, comma-separated")
      ->type_name("OPT,...")
      ->allow_extra_args(false);
  app.add_flag("-f", mount.fake, "check everything, mount nothing");
  app.add_flag("-s", sloppy, "ignore unknown options");
  app.add_flag("-v", verbose, "say what was mounted");
  app.add_flag("-n", no_mtab, "accepted and without effect: there is no mtab");
  app.add_option("-t", type, "accepted and without effect: the type is lazyvol");
  app.footer(option_table());
  if (auto status = parse_command_line(app, arguments, "mount.lazyvol", console, 1)) return *status;
  for (auto& options : mount.options) {
    options = without_rw(options);
    if (sloppy) options = without_unknown_options(options);
  }
  const auto run = [&] {
    const auto failure = run_mount(mount, console);
    if (failure) return complain(console, failure->message, helper_exit_status(failure->kind));
    const char* what = mount.fake ? " would be mounted on " : " mounted on ";
    if (verbose) console.out << mount.source << what << mount.mountpoint << std::endl;
    return kExitOk;
  };
  return run_guarded(run, console, 2);
}

}  // namespace lazyvol::daemon
