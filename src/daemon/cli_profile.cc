#include "daemon/cli_profile.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/child.h"
#include "base/units.h"
#include "daemon/cli_commands.h"
#include "daemon/interrupt.h"
#include "daemon/mounted_path.h"
#include "daemon/profile_file.h"
#include "daemon/progress_bar.h"
#include "model/source_url.h"

namespace lazyvol::daemon {
namespace {

constexpr std::chrono::minutes kPatience{5};

struct ProfileCommand {
  std::string mountpoint, file;
  std::vector<std::string> words;
};

/// Runs `words` in this process group, with this terminal. Errors: not_found, access_denied, ….
Result<int> run_child(const std::vector<std::string>& words) {
  std::vector<std::string> text = words;
  std::vector<char*> argv;
  for (auto& word : text) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t child = -1;
  const int error = posix_spawnp(&child, argv[0], nullptr, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return errno_error(error, words.front());
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return base::exit_status(status);
}

void wait_for(const Interrupt& interrupt) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait(lock, interrupt.token(), [] { return false; });
}

std::string summary(const model::Profile& profile) {
  std::uint64_t files = 0, directories = 0, ranges = 0, bytes = 0;
  for (const auto& item : profile) {
    ++(item.directory ? directories : files);
    ranges += item.ranges.size();
    bytes += model::bytes_of(item);
  }
  return fmt::format("{} files, {} directories, {} in {} ranges", files, directories,
                     base::format_size(bytes), ranges);
}

int record(const ProfileCommand& command, Console console) {
  const auto place = find_place(command.mountpoint);
  if (!place.ok()) return complain(console, place.error().message, kExitFailed);
  // What cannot be written is found out before the work is done, not after it.
  if (const Status status = write_profile(command.file, {}); !status.ok()) {
    return complain(console, status.error().message, kExitFailed);
  }
  const Interrupt interrupt;
  const ControlJson where{{"mountpoint", place->mountpoint}};
  const auto& client = place->daemon.client;
  if (const auto begun = client.post("/v1/profile/record", where, kPatience); !begun.ok()) {
    return complain(console, command.mountpoint + ": " + begun.error().message, kExitFailed);
  }
  int status = kExitOk;
  if (command.words.empty()) {
    console.err << "recording until it is interrupted (Ctrl-C)" << std::endl;
    wait_for(interrupt);
  } else if (const auto ended = run_child(command.words); ended.ok()) {
    status = *ended;
  } else {
    status = complain(console, ended.error().message, kExitFailed);
  }
  const auto answer = client.post("/v1/profile/stop", where, kPatience);
  if (!answer.ok()) {
    return complain(console, command.mountpoint + ": " + answer.error().message, kExitFailed);
  }
  const auto profile = model::parse_profile(json_text(*answer, "/profile"));
  const Status written =
      profile.ok() ? write_profile(command.file, *profile) : Status(profile.error());
  if (!written.ok()) return complain(console, written.error().message, kExitFailed);
  console.err << command.file << ": " << summary(*profile) << std::endl;
  return status;
}

int show(const std::string& file, Console console) {
  const auto profile = read_profile(file);
  if (!profile.ok()) return complain(console, profile.error().message, kExitFailed);
  for (const auto& item : *profile) {
    std::string what = item.directory ? "directory" : "all";
    if (!item.ranges.empty()) what = base::format_size(model::bytes_of(item));
    console.out << fmt::format("{:>10}  {}{}\n", what, model::percent_encode_path(item.path),
                               item.directory ? "/" : "");
  }
  console.out << summary(*profile) << std::endl;
  return kExitOk;
}

int replay(const ProfileCommand& command, Console console) {
  const auto place = find_place(command.mountpoint);
  if (!place.ok()) return complain(console, place.error().message, kExitFailed);
  const auto profile = read_profile(command.file);  // a mistake is told before the daemon is asked
  if (!profile.ok()) return complain(console, profile.error().message, kExitFailed);
  ProgressBar bar(console.out, console.terminal);
  const auto done = place->daemon.client.post_lines(
      "/v1/profile/replay",
      {{"mountpoint", place->mountpoint}, {"file", absolute_path(command.file)}},
      [&](const ControlJson& line) { bar.update(progress_of(line)); });
  if (!done.ok()) {
    bar.clear();
    return complain(console, command.file + ": " + done.error().message, kExitFailed);
  }
  const PrefetchProgress progress = progress_of(*done);
  bar.finish(command.file, progress);
  if (progress.failures == 0) return kExitOk;
  return complain(console,
                  fmt::format("{}: {} of {} items could not be fetched", command.file,
                              progress.failures, progress.files_found),
                  kExitFailed);
}

}  // namespace

void add_profile_commands(CLI::App& app, Command& run) {
  const auto command = std::make_shared<ProfileCommand>();
  auto* profile =
      app.add_subcommand("profile", "Record what a workload reads first; fetch it ahead");
  auto* recording = profile->add_subcommand("record", "Write to FILE what is read on MOUNTPOINT");
  recording->add_option("MOUNTPOINT", command->mountpoint, "a lazyvol mount")->required();
  recording->add_option("FILE", command->file, "the profile to be written")->required();
  recording->add_option("COMMAND", command->words,
                        "while this runs (after --); without one, until interrupted");
  recording->footer("What the kernel has in memory already is not seen: record on a fresh mount.");
  recording->callback(
      [command, &run] { run = [command](Console console) { return record(*command, console); }; });
  auto* showing = profile->add_subcommand("show", "Show what a profile names");
  showing->add_option("FILE", command->file, "the profile")->required();
  showing->callback([command, &run] {
    run = [command](Console console) { return show(command->file, console); };
  });
  auto* replaying = profile->add_subcommand("replay", "Fetch what a profile names, in its order");
  replaying->add_option("MOUNTPOINT", command->mountpoint, "a lazyvol mount")->required();
  replaying->add_option("FILE", command->file, "the profile")->required();
  replaying->callback(
      [command, &run] { run = [command](Console console) { return replay(*command, console); }; });
}

}  // namespace lazyvol::daemon
