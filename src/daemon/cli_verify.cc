// verify and gc: whether a published volume is whole, and clearing it up.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/units.h"
#include "catalog/pack.h"
#include "daemon/cli_commands.h"
#include "daemon/cli_parse.h"
#include "daemon/cli_volume.h"
#include "daemon/control_client.h"
#include "daemon/progress_bar.h"
#include "publish/dir_files.h"
#include "publish/gc.h"
#include "publish/open_volume.h"
#include "publish/state.h"
#include "publish/verify.h"
#include "publish/volume_reader.h"

namespace lazyvol::daemon {
namespace {

using publish::Damage;
using publish::GcPack;
using publish::GcReport;
using publish::VerifyReport;

std::string dump(const ControlJson& json) {
  return json.dump(-1, ' ', false, ControlJson::error_handler_t::replace);
}

struct VerifyCommand {
  VolumeArgument volume;
  std::string key;
  publish::VerifyOptions options;
  bool json = false;
};

/// "ed25519:…", or a file that holds it or PEM.
Result<catalog::PublicKey> read_public_key(const std::string& text) {
  if (text.starts_with("ed25519:")) return catalog::parse_public_key(text);
  const publish::Fd file(::open(text.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return errno_error(errno, text);
  constexpr std::uint64_t kMaxKeyFile = 64 * 1024;
  LAZYVOL_TRY_ASSIGN(const std::string bytes, publish::read_some(file, 0, kMaxKeyFile, text));
  auto key = catalog::parse_public_key(bytes);
  if (!key.ok()) return key.error().in(text);
  return key;
}

ControlJson json_of(const VerifyReport& report) {
  ControlJson damage = ControlJson::array();
  for (const Damage& one : report.damage) {
    damage.push_back(
        {{"what", one.what}, {"harmed", one.harmed}, {"harmed_total", one.harmed_total}});
  }
  return {{"heads", report.heads},
          {"pages", report.pages},
          {"entries", report.entries},
          {"file_maps", report.file_maps},
          {"packs", report.packs},
          {"frames", report.frames},
          {"bytes", report.bytes},
          {"damage", std::move(damage)},
          {"damage_total", report.damage_total}};
}

void print_damage(const VerifyReport& report, std::ostream& out) {
  for (const Damage& one : report.damage) {
    out << "damage: " << printable(one.what) << "\n";
    for (const std::string& path : one.harmed) out << "  harms " << printable(path) << "\n";
    if (one.harmed_total > one.harmed.size()) {
      out << fmt::format("  harms {} more\n", one.harmed_total - one.harmed.size());
    }
    if (one.harmed_total == 0) out << "  harms no file of these revisions\n";
  }
  if (report.damage_total > report.damage.size()) {
    out << fmt::format("damage: {} more\n", report.damage_total - report.damage.size());
  }
}

// A head is a file that says where a revision is: the present one, a kept one, a tag.
std::string heads_of(const VerifyReport& report) {
  const std::size_t count = report.heads.size();
  return fmt::format("{} head{}", count, count == 1 ? "" : "s");
}

int run_verify(VerifyCommand& command, Console console) {
  if (!command.key.empty()) {
    const auto key = read_public_key(command.key);
    if (!key.ok()) return refuse(console, key.error().in("--key"));
    command.options.key = *key;
  }
  const auto path = publish::head_path(command.options.revision);
  if (!path.ok()) return refuse(console, path.error().in("--revision"));
  Interrupt interrupt;
  const auto store = command.volume.open(interrupt.token());
  if (!store.ok()) return refuse(console, store.error(), interrupt);
  command.options.now_ns = base::system_clock().wall_ns();
  ProgressLine line(console);
  const auto report = publish::verify(
      **store, command.options, [&](const publish::VerifyProgress& seen) { line.update(seen); },
      interrupt.token());
  line.clear();
  if (!report.ok()) return end_with(console, report.error(), interrupt);
  if (command.json) {
    console.out << dump(json_of(*report)) << std::endl;
  } else {
    print_damage(*report, console.out);
    console.out << fmt::format("{}{}, {} entries, {} pages, {} file maps; {} packs ({} frames, {})",
                               report->damage_total == 0 ? "whole: " : "", heads_of(*report),
                               report->entries, report->pages, report->file_maps, report->packs,
                               report->frames, base::format_size(report->bytes))
                << std::endl;
  }
  if (report->damage_total == 0) return kExitOk;
  return complain(console, fmt::format("{}: {} damaged", command.volume.text, report->damage_total),
                  kExitFailed);
}

void add_verify(CLI::App& app, Command& command) {
  auto* verify = app.add_subcommand(
      "verify", "Prove that a published volume is whole (exit 1 when it is not)");
  const auto line = std::make_shared<VerifyCommand>();
  line->volume.add_to(*verify);
  auto* revision = verify->add_option("--revision", line->options.revision,
                                      "this one (a number, a tag), instead of the head");
  revision->type_name("REVISION");
  verify->add_flag("--all", line->options.all, "the head, all revisions that are kept, all tags")
      ->excludes(revision);
  verify->add_flag("--fast", line->options.fast,
                   "names, attributes and indexes only; no file's bytes");
  verify->add_option("--key", line->key, "who must have signed it: ed25519:..., or a .pub file")
      ->type_name("KEY");
  verify->add_option("--threads", line->options.threads, "default: as many as there are cores")
      ->type_name("N")
      ->check(CLI::Range(1, 64).description(""));
  verify->add_flag("--json", line->json, "the result as one JSON document");
  verify->footer("Tells each damage with the files that it harms.");
  verify->callback([line, &command] {
    command = [line](Console console) { return run_verify(*line, console); };
  });
}

// The publisher believes in its unreached packs for so long.
constexpr std::chrono::nanoseconds kSafeGrace{publish::State::kTrustUnreachedNs};

struct GcCommand {
  VolumeArgument volume;
  std::string grace = "24h";
  publish::GcOptions options;
  bool packs = false, json = false;
};

std::string_view fate_name(GcPack::Fate fate) {
  switch (fate) {
    case GcPack::Fate::live:
      return "live";
    case GcPack::Fate::young:
      return "young";
    case GcPack::Fate::removed:
      return "removed";
  }
  return "";
}

unsigned percent_alive(const GcPack& pack) {
  return pack.bytes == 0 ? 0 : static_cast<unsigned>(pack.live_bytes * 100 / pack.bytes);
}

ControlJson json_of(const GcReport& report, bool dry_run) {
  ControlJson packs = ControlJson::array();
  for (const GcPack& pack : report.packs) {
    packs.push_back({{"pack", pack.pack.hex()},
                     {"bytes", pack.bytes},
                     {"live_bytes", pack.live_bytes},
                     {"fate", fate_name(pack.fate)}});
  }
  return {{"dry_run", dry_run},
          {"revisions_kept", report.revisions_kept},
          {"revisions_removed", report.revisions_removed},
          {"tags", report.tags},
          {"removed_packs", report.removed_packs},
          {"removed_bytes", report.removed_bytes},
          {"packs", std::move(packs)}};
}

void print_report(const GcReport& report, const GcCommand& command, std::ostream& out) {
  std::uint64_t bytes = 0, live = 0, packs = 0, young = 0;
  for (const GcPack& pack : report.packs) {
    if (command.packs) {
      out << fmt::format("{:<7}  {:>10}  {:>3} %  {}\n", fate_name(pack.fate),
                         base::format_size(pack.bytes), percent_alive(pack),
                         catalog::pack_path(pack.pack));
    }
    if (pack.fate == GcPack::Fate::live) {
      ++packs;
      bytes += pack.bytes;
      live += pack.live_bytes;
    }
    young += pack.fate == GcPack::Fate::young ? 1 : 0;
  }
  const char* removed = command.options.dry_run ? "would remove" : "removed";
  out << fmt::format("kept {} revisions and {} tags: {} packs, {}, {} % of it alive\n",
                     report.revisions_kept.size(), report.tags.size(), packs,
                     base::format_size(bytes), bytes == 0 ? 100 : live * 100 / bytes);
  if (young > 0) out << fmt::format("left {} packs that are not yet old enough\n", young);
  out << fmt::format("{} {} revisions and {} packs, {}", removed, report.revisions_removed.size(),
                     report.removed_packs, base::format_size(report.removed_bytes))
      << std::endl;
}

int run_gc(GcCommand& command, Console console) {
  const auto grace = base::parse_duration(command.grace);
  if (!grace.ok()) return complain(console, "--grace: " + grace.error().message, kExitUsage);
  constexpr std::chrono::hours kLongest{24 * 365 * 100};
  command.options.grace = std::chrono::duration_cast<std::chrono::seconds>(
      std::min<std::chrono::milliseconds>(*grace, kLongest));
  if (!command.options.dry_run && command.options.grace < kSafeGrace) {
    console.err << "lazyvol: --grace " << command.grace
                << ": less than 12 hours; what runs now may break: publishers, and mounts that "
                   "have not refreshed"
                << std::endl;
  }
  const auto bucket = publish::volume_bucket(command.volume.text);
  if (!bucket.ok()) return refuse(console, bucket.error());
  if (!*bucket) {  // a server that cannot be written to is no place to clear up
    const auto directory = publish::volume_directory(command.volume.text);
    if (!directory.ok()) return refuse(console, directory.error());
  }
  Interrupt interrupt;
  const auto store = command.volume.open(interrupt.token());
  if (!store.ok()) return refuse(console, store.error(), interrupt);
  ProgressLine line(console);
  const auto marked = [&](std::size_t done, std::size_t all) {
    line.update(fmt::format("{} of {} revisions walked", done, all));
  };
  const auto report = publish::collect_garbage(
      **store, command.options, base::system_clock().wall_ns(), marked, interrupt.token());
  line.clear();
  if (!report.ok()) return end_with(console, report.error(), interrupt);
  if (command.json) {
    console.out << dump(json_of(*report, command.options.dry_run)) << std::endl;
  } else {
    print_report(*report, command, console.out);
  }
  return kExitOk;
}

void add_gc(CLI::App& app, Command& command) {
  auto* gc =
      app.add_subcommand("gc", "Remove old revisions, and packs that nothing needs any more");
  const auto line = std::make_shared<GcCommand>();
  gc->add_option("VOLUME", line->volume.text, "the volume's directory, or s3://BUCKET/PREFIX")
      ->required();
  line->volume.options.add_to(*gc);
  gc->add_option("--keep", line->options.keep, "this many of the last revisions (default 10)")
      ->type_name("N")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000}).description(""));
  gc->add_option("--grace", line->grace, "and what was shown or written so recently (default 24h)")
      ->type_name("TIME");
  gc->add_flag("--dry-run", line->options.dry_run, "only say what would go");
  gc->add_flag("--packs", line->packs, "list the packs with the share of each that is alive");
  gc->add_option("--threads", line->options.threads, "default: as many as there are cores")
      ->type_name("N")
      ->check(CLI::Range(1, 64).description(""));
  gc->add_flag("--json", line->json, "the result as one JSON document");
  gc->footer(
      "Tags are always kept. Packs go when nothing in them is needed; those that are partly alive\n"
      "stay as they are. TIME must be 12 hours longer than a publish takes, and longer than mounts "
      "go\n"
      "without a refresh.");
  gc->callback(
      [line, &command] { command = [line](Console console) { return run_gc(*line, console); }; });
}

}  // namespace

void add_verify_commands(CLI::App& app, Command& command) {
  add_verify(app, command);
  add_gc(app, command);
}

}  // namespace lazyvol::daemon
