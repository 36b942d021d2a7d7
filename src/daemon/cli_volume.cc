// revisions and diff: what a published volume holds.
#include "daemon/cli_volume.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <filesystem>
#include <iostream>
#include <utility>

#include "base/units.h"
#include "catalog/digest.h"
#include "daemon/cli_commands.h"
#include "daemon/cli_parse.h"
#include "daemon/control_client.h"
#include "model/options.h"
#include "publish/kept_heads.h"
#include "publish/open_volume.h"
#include "publish/revision_list.h"
#include "publish/volume_diff.h"

namespace lazyvol::daemon {

using publish::NameChange;
using publish::Revision;

void OriginOptions::add_to(CLI::App& app) {
  app.add_option(
         "-o,--options", texts,
         "for a URL: credentials=FILE, ca-cert=FILE, endpoint=URL, io-timeout=TIME, ..., as "
         "for mounts")
      ->type_name("OPT,...")
      ->allow_extra_args(false);
}

Result<model::MountOptions> OriginOptions::parse(const std::string& url) const {
  model::MountOptions parsed;
  if (!texts.empty() && publish::volume_directory(url).ok()) {
    return Error{Code::invalid_argument, "-o is for a URL; " + url + " is a directory"};
  }
  if (url.starts_with("s3://")) parsed.io_timeout = std::chrono::seconds(60);
  for (const auto& one : texts) {
    LAZYVOL_TRY_ASSIGN(parsed, model::parse_mount_options(one, std::move(parsed)));
  }
  return parsed;
}

void VolumeArgument::add_to(CLI::App& app) {
  app.add_option("VOLUME", text, "the volume's directory, or its URL")->required();
  options.add_to(app);
}

Result<std::unique_ptr<publish::Store>> VolumeArgument::open(std::stop_token stop) const {
  LAZYVOL_TRY_ASSIGN(const model::MountOptions parsed, options.parse(text));
  return publish::open_volume(text, parsed, std::move(stop));
}

int refuse(Console console, const Error& error) {
  const bool usage = error.code == Code::invalid_argument || error.code == Code::unsupported;
  return complain(console, error.message, usage ? kExitUsage : kExitFailed);
}

int refuse(Console console, const Error& error, const Interrupt& interrupt) {
  const bool stopped = interrupt.exit_status() != 0 && error.code == Code::cancelled;
  return stopped ? end_with(console, error, interrupt) : refuse(console, error);
}

int end_with(Console console, const Error& error, const Interrupt& interrupt) {
  if (interrupt.exit_status() != 0 && error.code == Code::cancelled) {
    return complain(console, "stopped", interrupt.exit_status());
  }
  return complain(console, error.message, kExitFailed);
}

std::string shown_time(std::int64_t ns, char between) {
  const std::time_t seconds = static_cast<std::time_t>(ns / 1'000'000'000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:%Y-%m-%d}{}{:%H:%M:%S}Z", parts, between, parts);
}

std::string hex_unless_utf8(const std::string& path) {
  try {
    (void)ControlJson(path).dump();
    return {};
  } catch (const ControlJson::type_error&) {
    return catalog::to_hex(path);
  }
}

namespace {

std::string dump(const ControlJson& json) {
  return json.dump(-1, ' ', false, ControlJson::error_handler_t::replace);
}

std::string signer_of(const Revision& revision) {
  return revision.document->signer ? revision.document->signer->text() : std::string();
}

std::string join(const std::vector<std::string>& words) {
  std::string line;
  for (const auto& word : words) line += (line.empty() ? "" : ",") + word;
  return line;
}

ControlJson json_of(const Revision& revision) {
  ControlJson json{{"sequence", revision.sequence},
                   {"head", revision.present},
                   {"kept", revision.kept},
                   {"tags", revision.tags}};
  if (!revision.damage.empty()) json["damage"] = revision.damage;
  if (!revision.document) return json;
  const catalog::Head& head = revision.document->head;
  const catalog::Statistics& counts = head.statistics;
  json["created"] = shown_time(head.created_ns, 'T');
  if (head.expires_ns != 0) json["expires"] = shown_time(head.expires_ns, 'T');
  json["files"] = counts.files;
  json["directories"] = counts.directories;
  json["symlinks"] = counts.symlinks;
  json["bytes"] = counts.bytes;
  json["stored_bytes"] = counts.stored_bytes;
  if (revision.new_bytes) json["new_bytes"] = *revision.new_bytes;
  if (revision.document->signer) json["signer"] = signer_of(revision);
  json["digest"] = revision.document->digest.hex();
  return json;
}

constexpr const char* kRow = "{:>8}  {:<20}  {:>11}  {:>10}  {:>10}  {:<16}  {}\n";

void print_row(const Revision& revision, std::ostream& out) {
  std::vector<std::string> notes = revision.tags;
  if (revision.present) notes.insert(notes.begin(), "head");
  if (!revision.document) {
    out << fmt::format(kRow, revision.sequence, "damaged", "-", "-", "-", "-", join(notes));
    return;
  }
  const catalog::Head& head = revision.document->head;
  const catalog::Statistics& counts = head.statistics;
  std::string signer = signer_of(revision);
  signer = signer.empty() ? "-" : signer.substr(signer.find(':') + 1, 16);
  out << fmt::format(
      kRow, revision.sequence, shown_time(head.created_ns),
      counts.files + counts.directories + counts.symlinks, base::format_size(counts.bytes),
      revision.new_bytes ? base::format_size(*revision.new_bytes) : "-", signer, join(notes));
}

int run_revisions(const VolumeArgument& volume, bool json, Console console) {
  Interrupt interrupt;
  const auto store = volume.open(interrupt.token());
  if (!store.ok()) return refuse(console, store.error(), interrupt);
  // Over a network the sizes would cost a request for each page.
  const bool local = publish::volume_directory(volume.text).ok();
  const auto revisions = publish::list_revisions(**store, local, interrupt.token());
  if (!revisions.ok()) return end_with(console, revisions.error(), interrupt);
  int status = kExitOk;
  if (!json) {
    console.out << fmt::format(kRow, "REVISION", "PUBLISHED", "ENTRIES", "BYTES", "NEW", "SIGNER",
                               "NAMES");
  }
  for (const Revision& revision : *revisions) {
    if (json) {
      console.out << dump(json_of(revision)) << "\n";
    } else {
      print_row(revision, console.out);
    }
    if (revision.damage.empty()) continue;
    status = complain(console, fmt::format("revision {}: {}", revision.sequence, revision.damage),
                      kExitFailed);
  }
  console.out.flush();
  return status;
}

struct DiffCommand {
  VolumeArgument volume;
  std::string before, after;
  bool json = false;
};

std::string_view kind_name(NameChange::Kind kind) {
  switch (kind) {
    case NameChange::Kind::added:
      return "added";
    case NameChange::Kind::removed:
      return "removed";
    case NameChange::Kind::content:
      return "content";
    case NameChange::Kind::attributes:
      return "attributes";
    case NameChange::Kind::moved:
      return "moved";
  }
  return "";
}

char kind_letter(NameChange::Kind kind) {
  switch (kind) {
    case NameChange::Kind::added:
      return '+';
    case NameChange::Kind::removed:
      return '-';
    case NameChange::Kind::content:
      return 'M';
    case NameChange::Kind::attributes:
      return 'A';
    case NameChange::Kind::moved:
      return 'R';
  }
  return ' ';
}

std::string_view type_name(NodeType type) {
  switch (type) {
    case NodeType::file:
      return "file";
    case NodeType::directory:
      return "directory";
    case NodeType::symlink:
      return "symlink";
  }
  return "";
}

void print_change_json(const NameChange& change, std::ostream& out) {
  ControlJson json{
      {"change", kind_name(change.kind)}, {"type", type_name(change.type)}, {"path", change.path}};
  const auto add_hex = [&](const char* name, const std::string& path) {
    if (auto hex = hex_unless_utf8(path); !hex.empty()) json[name] = std::move(hex);
  };
  add_hex("path_hex", change.path);
  if (change.kind == NameChange::Kind::moved) {
    json["old_path"] = change.old_path;
    add_hex("old_path_hex", change.old_path);
  }
  out << dump(json) << "\n";
}

void print_change(const NameChange& change, std::ostream& out) {
  const char* slash = change.type == NodeType::directory ? "/" : "";
  out << kind_letter(change.kind) << ' ';
  if (change.kind == NameChange::Kind::moved) {
    out << printable(change.old_path) << slash << " -> ";
  }
  out << printable(change.path) << slash << "\n";
}

int run_diff(const DiffCommand& command, Console console) {
  Interrupt interrupt;
  const auto store = command.volume.open(interrupt.token());
  if (!store.ok()) return refuse(console, store.error(), interrupt);
  const auto before_path = publish::head_path(command.before);
  if (!before_path.ok()) return refuse(console, before_path.error());
  const auto after_path = publish::head_path(command.after);
  if (!after_path.ok()) return refuse(console, after_path.error());
  const auto before = publish::need_head(**store, *before_path);
  if (!before.ok()) return end_with(console, before.error(), interrupt);
  const auto after = publish::need_head(**store, *after_path);
  if (!after.ok()) return end_with(console, after.error(), interrupt);
  const auto show = [&](const NameChange& change) -> Status {
    if (command.json) {
      print_change_json(change, console.out);
    } else {
      print_change(change, console.out);
    }
    if (console.out) return {};
    return Error{Code::io_error, "the output was closed"};
  };
  const Status status = publish::diff_revisions(**store, before->document.head,
                                                after->document.head, show, interrupt.token());
  console.out.flush();
  return status.ok() ? kExitOk : end_with(console, status.error(), interrupt);
}

}  // namespace

void add_volume_commands(CLI::App& app, Command& command) {
  auto* revisions = app.add_subcommand("revisions", "List the revisions of a published volume");
  const auto volume = std::make_shared<VolumeArgument>();
  const auto json = std::make_shared<bool>(false);
  volume->add_to(*revisions);
  revisions->add_flag("--json", *json, "one JSON document per revision and line");
  revisions->footer(
      "NEW: bytes that no older revision needs; for a directory only. Of a URL only consecutive\n"
      "revisions are found, and no tags.");
  revisions->callback([volume, json, &command] {
    command = [volume, json](Console console) { return run_revisions(*volume, *json, console); };
  });

  auto* diff = app.add_subcommand("diff", "Show what changed between two revisions");
  const auto line = std::make_shared<DiffCommand>();
  line->volume.add_to(*diff);
  diff->add_option("A", line->before, "the old revision: its number, or a tag")->required();
  diff->add_option("B", line->after, "the new one")->required();
  diff->add_flag("--json", line->json, "one JSON document per change and line");
  diff->footer(
      "+ added, - removed, M other content, A other attributes, R old -> new: moved. What lies in "
      "a\n"
      "directory that moved is not listed.");
  diff->callback(
      [line, &command] { command = [line](Console console) { return run_diff(*line, console); }; });
}

}  // namespace lazyvol::daemon
