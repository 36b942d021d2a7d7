// publish and keygen: the publisher's commands.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iostream>
#include <memory>
#include <utility>

#include "base/units.h"
#include "catalog/signing_key.h"
#include "daemon/cli_commands.h"
#include "daemon/cli_parse.h"
#include "daemon/cli_volume.h"
#include "daemon/control_client.h"
#include "daemon/interrupt.h"
#include "daemon/mounted_path.h"
#include "daemon/paths.h"
#include "daemon/profile_file.h"
#include "daemon/progress_bar.h"
#include "net/secret_file.h"
#include "publish/dir_files.h"
#include "publish/dir_store.h"
#include "publish/open_volume.h"
#include "publish/publisher.h"
#include "publish/s3_store.h"
#include "publish/volume_reader.h"
#include "source/s3_address.h"

namespace lazyvol::daemon {
namespace {

namespace fs = std::filesystem;
using publish::PublishReport;

struct PublishCommand {
  std::string tree, destination, key_file, profile_file, expires, state_dir;
  std::string chunk = "default";
  OriginOptions origin;
  publish::PublishOptions options;
  bool json = false;
};

/// Whether `path` is `directory` or lies in it; both canonical.
bool lies_in(const fs::path& path, const fs::path& directory) {
  const auto [end, rest] =
      std::mismatch(directory.begin(), directory.end(), path.begin(), path.end());
  (void)rest;
  return end == directory.end();
}

/// Turns texts into options. Errors: invalid_argument for usage; others for files.
Status complete_options(PublishCommand& command) {
  publish::PublishOptions& options = command.options;
  options.tree = command.tree;
  if (command.chunk == "fine") options.chunks = publish::Chunks::fine;
  if (command.chunk == "fixed") options.chunks = publish::Chunks::fixed;
  for (const std::string& tag : options.tags) LAZYVOL_TRY(publish::tag_path(tag));
  if (!command.expires.empty()) {
    const auto parsed = base::parse_duration(command.expires);
    if (!parsed.ok()) return parsed.error().in("--expires");
    options.expires_in = std::chrono::duration_cast<std::chrono::seconds>(*parsed);
    if (*parsed == std::chrono::milliseconds::max()) options.expires_in = {};  // "indefinite"
    constexpr std::chrono::hours kLongest{24 * 365 * 100};
    if (*parsed != std::chrono::milliseconds::max() &&
        (options.expires_in < std::chrono::seconds(1) || options.expires_in > kLongest)) {
      return Error{Code::invalid_argument, "--expires: between a second and 100 years"};
    }
  }
  if (!command.profile_file.empty()) {
    auto profile = read_profile(command.profile_file);
    if (!profile.ok()) return profile.error().in("--profile");
    options.profile = *std::move(profile);
  }
  if (!command.key_file.empty()) {
    LAZYVOL_TRY_ASSIGN(const net::SecretFile file, net::read_secret_file(command.key_file));
    auto key = catalog::SecretKey::parse(file.bytes);
    if (!key.ok()) return Error{Code::io_error, command.key_file + ": " + key.error().message};
    options.key = *std::move(key);
  }
  return {};
}

/// Where the volume lies: in a bucket, or else in a directory.
struct Destination {
  fs::path directory;
  std::optional<model::SourceUrl> bucket;
  model::MountOptions origin;  // of the bucket
};

/// What the publisher's memory of a volume is found by.
Result<std::string> name_of(const Destination& destination) {
  if (!destination.bucket) return destination.directory.string();
  LAZYVOL_TRY_ASSIGN(const auto address,
                     source::S3Address::make(*destination.bucket, destination.origin));
  return address.display();
}

/// Where the volume and the publisher's memory of it lie; the former not in the tree.
Result<Destination> find_destination(PublishCommand& command) {
  Destination destination;
  LAZYVOL_TRY_ASSIGN(destination.origin, command.origin.parse(command.destination));
  LAZYVOL_TRY_ASSIGN(destination.bucket, publish::volume_bucket(command.destination));
  if (!destination.bucket) {
    LAZYVOL_TRY_ASSIGN(const std::string text, publish::volume_directory(command.destination));
    LAZYVOL_TRY_ASSIGN(destination.directory, canonical_directory(text));
  }
  fs::path state = command.state_dir;
  if (state.empty()) {
    LAZYVOL_TRY_ASSIGN(const std::string name, name_of(destination));
    LAZYVOL_TRY_ASSIGN(state, default_state_dir(UserContext::current(), name));
  }
  LAZYVOL_TRY_ASSIGN(command.options.state_dir, canonical_directory(state));
  LAZYVOL_TRY_ASSIGN(const fs::path tree, canonical_directory(command.tree));
  if (!destination.bucket && lies_in(destination.directory, tree)) {
    return Error{Code::invalid_argument,
                 command.destination + " lies in " + command.tree + ": it would publish itself"};
  }
  return destination;
}

Result<std::unique_ptr<publish::Store>> make_store(const Destination& destination,
                                                   std::stop_token stop) {
  if (!destination.bucket) return publish::make_dir_store(destination.directory);
  return publish::make_s3_store(*destination.bucket, destination.origin, {.stop = std::move(stop)});
}

void print_json(const PublishReport& r, std::chrono::milliseconds elapsed, std::ostream& out) {
  ControlJson left_out = ControlJson::array();
  for (const std::string& line : r.left_out) left_out.push_back(printable(line));
  const ControlJson json{{"sequence", r.sequence},
                         {"changed", r.changed},
                         {"entries", r.entries},
                         {"files", r.files},
                         {"directories", r.directories},
                         {"symlinks", r.symlinks},
                         {"bytes", r.bytes},
                         {"files_read", r.files_read},
                         {"files_unchanged", r.files_unchanged},
                         {"entries_changed", r.entries_changed},
                         {"bytes_read", r.bytes_read},
                         {"bytes_known", r.bytes_known},
                         {"data_bytes", r.data_bytes},
                         {"metadata_bytes", r.metadata_bytes},
                         {"objects_written", r.objects_written},
                         {"left_out", r.left_out_total},
                         {"left_out_names", std::move(left_out)},
                         {"profile_unknown", r.profile_unknown.size()},
                         {"milliseconds", elapsed.count()}};
  out << json.dump(-1, ' ', false, ControlJson::error_handler_t::replace) << std::endl;
}

void print_summary(const PublishReport& r, std::chrono::milliseconds elapsed, std::ostream& out) {
  out << fmt::format("revision {}: {} files, {} directories, {} symlinks, {}{}\n", r.sequence,
                     r.files, r.directories, r.symlinks, base::format_size(r.bytes),
                     r.changed ? "" : "; nothing has changed")
      << fmt::format(
             "read {} files ({}), {} unchanged; stored {} of data and {} of catalog; {:.1f} s",
             r.files_read, base::format_size(r.bytes_read), r.files_unchanged,
             base::format_size(r.data_bytes), base::format_size(r.metadata_bytes),
             static_cast<double>(elapsed.count()) / 1000.0)
      << std::endl;
}

void print_left_out(const PublishReport& report, std::ostream& err) {
  for (const std::string& line : report.left_out) {
    err << "lazyvol: left out: " << printable(line) << "\n";
  }
  if (report.left_out_total > report.left_out.size()) {
    err << fmt::format("lazyvol: left out: {} more\n",
                       report.left_out_total - report.left_out.size());
  }
  err.flush();
}

void print_unknown(const PublishReport& report, const PublishCommand& command, std::ostream& err) {
  if (report.profile_unknown.empty()) return;
  err << fmt::format("lazyvol: --profile {}: {} of {} paths name nothing in {}, '{}' for one\n",
                     command.profile_file, report.profile_unknown.size(),
                     command.options.profile.size(), command.tree,
                     printable(report.profile_unknown.front()));
  err.flush();
}

/// A tree that is a volume is most likely the other argument.
void warn_of_volume(const PublishCommand& command, std::ostream& err) {
  std::error_code failure;
  const fs::path tree = command.tree;
  if (!fs::exists(tree / catalog::kHeadPath, failure) || !fs::exists(tree / "packs", failure)) {
    return;
  }
  err << "lazyvol: " << command.tree
      << " is a published volume itself (publish takes TREE first, then DEST)" << std::endl;
}

int run_publish(PublishCommand& command, Console console) {
  if (auto status = complete_options(command); !status.ok()) {
    return refuse(console, status.error());
  }
  const auto destination = find_destination(command);
  if (!destination.ok()) {
    return refuse(console, destination.error());
  }
  Interrupt interrupt;  // before the store and the publisher start threads
  warn_of_volume(command, console.err);
  const auto store = make_store(*destination, interrupt.token());
  if (!store.ok()) return end_with(console, store.error(), interrupt);
  ProgressLine line(console);
  const auto report = publish::publish(
      **store, command.options, [&](const publish::PublishProgress& seen) { line.update(seen); },
      interrupt.token());
  line.clear();
  if (!report.ok()) {
    if (interrupt.exit_status() == 0) return complain(console, report.error().message, kExitFailed);
    return complain(console,
                    "stopped: the volume shows what it did; the next try goes on from here",
                    interrupt.exit_status());
  }
  print_left_out(*report, console.err);
  print_unknown(*report, command, console.err);
  if (command.json) {
    print_json(*report, line.elapsed(), console.out);
  } else {
    print_summary(*report, line.elapsed(), console.out);
  }
  return kExitOk;
}

/// Writes a file that must not be there yet, durably.
Status write_new(const std::string& path, std::string_view bytes, mode_t mode) {
  const publish::Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (file.get() < 0) {
    if (errno == EEXIST) return Error{Code::already_exists, path + ": is there already"};
    return errno_error(errno, path);
  }
  Status status = publish::write_all(file, bytes, path);
  if (status.ok() && ::fsync(file.get()) != 0) status = errno_error(errno, path);
  if (!status.ok()) ::unlink(path.c_str());
  return status;
}

int run_keygen(const std::string& path, Console console) {
  const auto key = catalog::SecretKey::generate();
  if (!key.ok()) return complain(console, key.error().message, kExitFailed);
  const std::string public_path = path + ".pub";
  // The public one first: if it is there already the secret one never comes to be.
  if (auto status = write_new(public_path, key->public_key().pem(), 0644); !status.ok()) {
    return complain(console, status.error().message, kExitFailed);
  }
  if (auto status = write_new(path, key->pem(), 0600); !status.ok()) {
    ::unlink(public_path.c_str());
    return complain(console, status.error().message, kExitFailed);
  }
  console.out << key->public_key().text() << std::endl;
  return kExitOk;
}

void add_publish_options(CLI::App& app, PublishCommand& line) {
  publish::PublishOptions& options = line.options;
  app.add_option("TREE", line.tree, "the directory to publish")->required();
  app.add_option("DEST", line.destination,
                 "the volume's directory, made when it is missing, or s3://BUCKET/PREFIX")
      ->required();
  line.origin.add_to(app);
  app.add_option("--key", line.key_file, "sign with this secret key (PEM, mode 0600)")
      ->type_name("FILE");
  app.add_option("--tag", options.tags, "also keep the revision under this name")
      ->type_name("NAME")
      ->allow_extra_args(false);
  app.add_option("--profile", line.profile_file,
                 "what a start reads first (lazyvol profile record, or paths, one a line): it goes "
                 "into one pack")
      ->type_name("FILE");
  app.add_option(
         "--chunk", line.chunk,
         "cut files of 256 KiB and more into parts of about 256 KiB, of about 64 KiB with fine, "
         "or of 64 KiB with fixed (for random reads)")
      ->type_name("default|fine|fixed")
      ->check(CLI::IsMember({"default", "fine", "fixed"}).description(""));
  app.add_option("--level", options.level, "of zstd, 1 to 19 (default 3)")
      ->type_name("N")
      ->check(CLI::Range(1, 19).description(""));
  app.add_option("--threads", options.threads, "default: as many as there are cores")
      ->type_name("N")
      ->check(CLI::Range(1, 256).description(""));
  app.add_option("--expires", line.expires,
                 "mounts refuse the revision after this long (30d, 12h); default never")
      ->type_name("TIME");
  app.add_flag("--one-file-system", options.one_file_system,
               "show directories that other file systems are mounted on empty");
  app.add_option("--state-dir", line.state_dir,
                 "what is remembered for the next time (default: this user's, one for each DEST)")
      ->type_name("DIR");
  app.add_flag("--json", line.json, "the result as one JSON document");
}

}  // namespace

void add_publish_commands(CLI::App& app, Command& command) {
  auto* publish =
      app.add_subcommand("publish", "Make TREE the next revision of the volume in DEST");
  const auto line = std::make_shared<PublishCommand>();
  add_publish_options(*publish, *line);
  publish->footer(
      "Unchanged files are not read again. Stopped or killed at any point, the old revision "
      "stands.");
  publish->callback([line, &command] {
    command = [line](Console console) { return run_publish(*line, console); };
  });

  auto* keygen =
      app.add_subcommand("keygen", "Make a key to sign with: FILE, and FILE.pub to verify");
  const auto file = std::make_shared<std::string>();
  keygen->add_option("FILE", *file, "where the secret key goes; must not exist")->required();
  keygen->footer("Prints the public key as mounts and verify take it (key=ed25519:...).");
  keygen->callback([file, &command] {
    command = [file](Console console) { return run_keygen(*file, console); };
  });
}

}  // namespace lazyvol::daemon
