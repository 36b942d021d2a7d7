#include "publish/gc.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "catalog/pack.h"
#include "publish/kept_heads.h"
#include "publish/reach.h"
#include "publish/volume_reader.h"

namespace lazyvol::publish {
namespace {

constexpr std::string_view kPacks = "packs/";

/// The pack whose name `path` is; nothing for what is no pack of ours.
std::optional<catalog::Digest> pack_of(const std::string& path) {
  const std::string_view name = std::string_view(path).substr(path.find_last_of('/') + 1);
  std::string bytes;
  if (name.size() != 64) return std::nullopt;
  for (std::size_t i = 0; i < name.size(); i += 2) {
    const auto digit = [&](char c) { return std::string_view("0123456789abcdef").find(c); };
    const std::size_t high = digit(name[i]), low = digit(name[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    bytes.push_back(static_cast<char>(high << 4 | low));
  }
  const catalog::Digest pack = catalog::Digest::from(bytes);
  return catalog::pack_path(pack) == path ? std::optional(pack) : std::nullopt;
}

class Collector {
 public:
  Collector(Store& store, const GcOptions& options, std::int64_t now_ns,
            const std::function<void(std::size_t, std::size_t)>& marked, std::stop_token stop)
      : store_(store),
        options_(options),
        old_ns_(now_ns - std::chrono::nanoseconds(options.grace).count()),
        marked_(marked),
        stop_(stop),
        reach_(store, options.threads, stop) {}

  Result<GcReport> run() {
    LAZYVOL_TRY(mark());  // the long part, with publishers free to go on
    std::unique_ptr<StoreLock> lock;
    if (!options_.dry_run) {
      LAZYVOL_TRY_ASSIGN(lock, store_.lock());
      LAZYVOL_TRY(mark());  // what came meanwhile
    }
    LAZYVOL_TRY(remove_revisions());
    LAZYVOL_TRY(remove_packs());
    return std::move(report_);
  }

 private:
  /// Decides which heads are kept, and adds what they reach.
  Status mark() {
    report_ = {};
    LAZYVOL_TRY_ASSIGN(const StoredHead head, need_head(store_, std::string(kHeadPath)));
    LAZYVOL_TRY_ASSIGN(const auto present, store_.stat(std::string(kHeadPath)));
    const std::uint64_t newest = head.document.head.sequence;
    LAZYVOL_TRY_ASSIGN(const KeptHeads heads, list_kept_heads(store_, newest));
    std::vector<std::string> kept{std::string(kHeadPath)};
    for (const HeadFile& tag : heads.tags) {
      report_.tags.push_back(tag.tag);
      kept.push_back(tag.path);
    }
    const std::int64_t head_time = present ? present->mtime_ns : INT64_MAX;
    for (std::size_t i = 0; i < heads.revisions.size(); ++i) {
      const HeadFile& revision = heads.revisions[i];
      // Superseded when the next one was written. One past the head is being published, or was
      // given up: its own age counts.
      const bool older_than_newest =
          i + 1 < heads.revisions.size() && heads.revisions[i + 1].sequence < newest;
      const std::int64_t superseded = revision.sequence > newest ? revision.mtime_ns
                                      : older_than_newest        ? heads.revisions[i + 1].mtime_ns
                                                                 : head_time;
      const bool recent = revision.sequence <= newest &&
                          newest - revision.sequence < std::max<std::uint64_t>(options_.keep, 1);
      const bool keep = recent || superseded > old_ns_;
      (keep ? report_.revisions_kept : report_.revisions_removed).push_back(revision.sequence);
      if (keep) kept.push_back(revision.path);
    }
    return mark(kept);
  }

  Status mark(const std::vector<std::string>& kept) {
    std::size_t done = 0;
    for (const std::string& path : kept) {
      const auto head = need_head(store_, path);
      if (!head.ok()) {
        // A publisher that lost takes its revision away itself.
        if (head.error().code == Code::not_found && path.starts_with("revisions/")) continue;
        return head.error();
      }
      if (seen_.insert(head->document.digest).second) {
        const Status added = reach_.add(head->document.head);
        if (!added.ok()) return added.error().in(path + " is kept, but cannot be walked");
      }
      marked_(++done, kept.size());
    }
    return {};
  }

  Status remove_revisions() {
    for (const std::uint64_t sequence : report_.revisions_removed) {
      if (stop_.stop_requested()) return Error{Code::cancelled, "stopped"};
      if (!options_.dry_run) LAZYVOL_TRY(store_.remove(revision_path(sequence)));
    }
    return {};
  }

  Status remove_packs() {
    const std::map<catalog::Digest, PackUse> live = reach_.packs();
    LAZYVOL_TRY_ASSIGN(const auto objects, store_.list(std::string(kPacks)));
    for (const StoredObject& object : objects) {
      if (stop_.stop_requested()) return Error{Code::cancelled, "stopped"};
      const auto name = pack_of(object.path);
      if (!name) continue;  // not ours to judge
      GcPack pack{GcPack::Fate::live, *name, object.size, 0};
      if (const auto use = live.find(*name); use != live.end()) {
        pack.live_bytes = use->second.bytes;
      } else {
        LAZYVOL_TRY_ASSIGN(const bool removed, remove(object));
        pack.fate = removed ? GcPack::Fate::removed : GcPack::Fate::young;
        report_.removed_packs += removed ? 1 : 0;
        report_.removed_bytes += removed ? object.size : 0;
      }
      report_.packs.push_back(pack);
    }
    return {};
  }

  Result<bool> remove(const StoredObject& object) {
    if (options_.dry_run) return object.mtime_ns <= old_ns_;
    return store_.remove_older(object.path, old_ns_);
  }

  Store& store_;
  const GcOptions& options_;
  const std::int64_t old_ns_;  // what is older has had its grace
  const std::function<void(std::size_t, std::size_t)>& marked_;
  const std::stop_token stop_;
  Reach reach_;
  std::set<catalog::Digest> seen_;  // heads that were added
  GcReport report_;
};

}  // namespace

Result<GcReport> collect_garbage(Store& store, const GcOptions& options, std::int64_t now_ns,
                                 const std::function<void(std::size_t, std::size_t)>& marked,
                                 std::stop_token stop) {
  return Collector(store, options, now_ns, marked, std::move(stop)).run();
}

}  // namespace lazyvol::publish
