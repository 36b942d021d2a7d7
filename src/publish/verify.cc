#include "publish/verify.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <utility>

#include "catalog/catalog_read.h"
#include "catalog/head_check.h"
#include "catalog/key.h"
#include "publish/catalog_walk.h"
#include "publish/content_frames.h"
#include "publish/entry_paths.h"
#include "publish/kept_heads.h"
#include "publish/pack_check.h"
#include "publish/parallel.h"
#include "publish/verify_findings.h"
#include "publish/volume_reader.h"

namespace lazyvol::publish {

using catalog::Entry;
using catalog::FrameRef;
using catalog::Tree;

namespace {

/// Passes progress on, some ten times a second.
class Reporter {
 public:
  explicit Reporter(const std::function<void(const VerifyProgress&)>& progress)
      : progress_(progress) {}

  template <class Change>
  void update(Change change, bool at_once = false) {
    const auto state = state_.lock();
    change(state->seen);
    const auto now = std::chrono::steady_clock::now();
    if (!at_once && now - state->shown < std::chrono::milliseconds(100)) return;
    state->shown = now;
    progress_(state->seen);
  }

 private:
  struct State {
    VerifyProgress seen;
    std::chrono::steady_clock::time_point shown;
  };
  const std::function<void(const VerifyProgress&)>& progress_;
  base::Locked<State> state_;
};

/// What the walk over one or more revisions checks and collects.
class MetadataCheck final : public CatalogVisitor {
 public:
  MetadataCheck(Store& store, Findings& findings, Reporter& reporter)
      : store_(store), findings_(findings), reporter_(reporter), pages_(store), indexes_(store) {}

  /// The head whose trees are walked next.
  void begin(const catalog::Head& head) {
    head_ = &head;
    names_root_ = std::make_shared<const std::string>(head.roots.names);
    ids_root_ = std::make_shared<const std::string>(head.roots.ids);
    *paths_.lock() = std::make_unique<EntryPaths>(pages_, head.roots);
  }
  std::vector<catalog::Digest> packs() const {
    const auto packs = packs_.lock();
    return {packs->begin(), packs->end()};
  }
  void count(VerifyReport& report) const {
    report.pages = page_count_;
    report.entries = entry_count_;
    report.file_maps = map_count_;
  }
  /// Nothing refers to its frames: its index has to be there, and its size right.
  Status hot_pack(const catalog::HotPack& hot) {
    packs_.lock()->insert(hot.pack);
    const auto index = read_pack_index(store_, hot.pack);
    if (!index.ok()) {
      if (!is_damage(index.error())) return index.error();
      findings_.suspect(hot.pack, index.error().message + " (a hot pack: mounts do without)");
    } else if (index->bytes != hot.bytes) {
      findings_.suspect(hot.pack,
                        catalog::pack_path(hot.pack) + " is not as long as the head says");
    }
    return {};
  }

  Status page(const FrameRef& frame) override {
    ++page_count_;
    reporter_.update([&](VerifyProgress& seen) { ++seen.pages; });
    return reference(frame);
  }

  Status names(const std::vector<Entry>& entries) override {
    entry_count_ += entries.size();
    NodeId directory = kRootNode;
    catalog::Digest last;  // most neighbours lie in one frame
    const ContentVisit visit{
        .data = [&](const FrameRef& frame) -> Status {
          if (frame.hash == last) return {};
          last = frame.hash;
          return reference(frame);
        },
        .map = [&](const FrameRef& frame) -> Result<bool> {
          LAZYVOL_TRY(reference(frame));
          const bool fresh = maps_.lock()->insert(frame.hash).second;
          map_count_ += fresh ? 1 : 0;
          return fresh;
        },
        .damaged_map = [&](const FrameRef& frame, const Error& error) -> Status {
          if (!is_damage(error)) return error;
          findings_.suspect(frame.pack, error.message);
          return {};
        }};
    for (const Entry& entry : entries) {
      LAZYVOL_TRY(visit_content(store_, entry, visit));
      if (entry.id >= head_->next_id) wrong(entry, "has an id that was never given out");
      if (entry.alias) LAZYVOL_TRY(check_alias(entry));
      if (entry.directory != directory) LAZYVOL_TRY(check_directory(entry));
      directory = entry.directory;
    }
    return {};
  }

  Status ids(const std::vector<catalog::IdRun>&) override { return {}; }

  Status damaged(const WalkedPage& page, const Error& error) override {
    if (!is_damage(error)) return error;
    if (page.frame && !findings_.first_time(*page.frame)) return {};
    const auto number = page.frame ? findings_.suspect(page.frame->pack, error.message)
                                   : findings_.add(error.message);
    findings_.harm(number, range_of(page));
    return {};
  }

 private:
  /// A reference must be to a frame that the pack's own index knows.
  Status reference(const FrameRef& frame) {
    packs_.lock()->insert(frame.pack);
    if (findings_.suspect_of(frame.pack)) return {};
    const Status known = indexes_.check(frame);
    if (known.ok()) return {};
    if (!is_damage(known.error())) return known;
    findings_.suspect(frame.pack, known.error().message);
    return {};
  }

  void wrong(const Entry& entry, const std::string& what) {
    const std::string path = (*paths_.lock())->shown(entry.directory, entry.name);
    findings_.harm(findings_.add(path + " " + what), path);
  }

  /// `found` failed: pages on the way are damaged, which the walk tells of.
  static Status forgive(const Result<std::optional<Entry>>& found) {
    return is_damage(found.error()) ? Status() : found.error();
  }

  Status check_alias(const Entry& alias) {
    auto found = catalog::find_entry(pages_, names_root_, ids_root_, alias.id);
    if (!found.ok()) return forgive(found);
    if (!*found) {
      wrong(alias, "is a link to a file that is not there");
      return {};
    }
    Entry file = **std::move(found);
    file.directory = alias.directory;
    file.name = alias.name;
    file.alias = true;
    if (file != alias) wrong(alias, "is a link that differs from its file");
    return {};
  }

  // Asked once for each directory in each leaf. Leaves that an earlier revision has, too, are not
  // asked again.
  Status check_directory(const Entry& entry) {
    if (entry.directory == kRootNode) return {};
    const auto found = catalog::find_entry(pages_, names_root_, ids_root_, entry.directory);
    if (!found.ok()) return forgive(found);
    if (!*found || (*found)->type != NodeType::directory) {
      wrong(entry, "lies in a directory that is not there");
    }
    return {};
  }

  /// What lies in a page, as far as its neighbours tell.
  std::string range_of(const WalkedPage& page) {
    if (page.tree == Tree::ids) return "look-ups by number: NFS handles, moved and linked files";
    if (!page.last_key) return "all names";
    const auto shown = [&](const std::string& key) {
      const auto place = catalog::parse_name_key(key);
      return place.ok() ? (*paths_.lock())->shown(place->directory, place->name) : "the beginning";
    };
    return "names after " + shown(page.after) + " up to " + shown(*page.last_key);
  }

  Store& store_;
  Findings& findings_;
  Reporter& reporter_;
  StorePages pages_;
  PackIndexes indexes_;
  const catalog::Head* head_ = nullptr;
  catalog::Page names_root_, ids_root_;
  base::Locked<std::unique_ptr<EntryPaths>> paths_;
  base::Locked<std::set<catalog::Digest>> packs_, maps_;
  std::atomic<std::uint64_t> page_count_{0}, entry_count_{0}, map_count_{0};
};

class Verification {
 public:
  Verification(Store& store, const VerifyOptions& options,
               const std::function<void(const VerifyProgress&)>& progress, std::stop_token stop)
      : store_(store),
        options_(options),
        stop_(std::move(stop)),
        reporter_(progress),
        metadata_(store, findings_, reporter_),
        walk_(store, metadata_, {options.threads, true}, stop_) {}

  Result<VerifyReport> run() {
    LAZYVOL_TRY(read_heads());
    for (const StoredHead& head : heads_) LAZYVOL_TRY(walk(head.document.head));
    if (!options_.fast) LAZYVOL_TRY(check_packs());
    if (findings_.any_suspect()) {
      reporter_.update([](VerifyProgress& seen) { seen.phase = VerifyProgress::Phase::harm; },
                       true);
      for (const StoredHead& head : heads_) {
        LAZYVOL_TRY(
            find_harmed_files(store_, head.document.head, options_.threads, findings_, stop_));
      }
    }
    metadata_.count(report_);
    const Sum sum = *sum_.lock();
    report_.packs = sum.packs;
    report_.frames = sum.frames;
    report_.bytes = sum.bytes;
    findings_.move_to(report_);
    return std::move(report_);
  }

 private:
  struct Sum {
    std::uint64_t packs = 0, frames = 0, bytes = 0;
  };

  Status read_heads() {
    LAZYVOL_TRY_ASSIGN(const std::string first, head_path(options_.revision));
    LAZYVOL_TRY_ASSIGN(StoredHead head, need_head(store_, first));
    if (options_.now_ns != 0 && options_.revision.empty()) {
      const Status fresh = catalog::check_expiry(head.document.head, options_.now_ns);
      if (!fresh.ok()) findings_.harm(findings_.add(fresh.error().message), "mounts");
    }
    const catalog::VolumeUuid volume = head.document.head.volume;
    const std::uint64_t newest = head.document.head.sequence;
    std::vector<std::string> others;
    if (options_.all) {
      LAZYVOL_TRY_ASSIGN(const KeptHeads kept, list_kept_heads(store_, newest));
      for (const HeadFile& file : kept.revisions) {
        // One above the head is of a publish that is under way, or was killed: no mount sees it.
        if (file.sequence <= newest) others.push_back(file.path);
      }
      for (const HeadFile& file : kept.tags) others.push_back(file.path);
    }
    // Old ones first: ids are then never greater than what the head at hand has given out.
    for (const std::string& path : others) LAZYVOL_TRY(read_other(path, volume, newest));
    LAZYVOL_TRY(add(first, std::move(head)));
    return {};
  }

  Status read_other(const std::string& path, const catalog::VolumeUuid& volume,
                    std::uint64_t newest) {
    auto head = need_head(store_, path);
    if (!head.ok()) {
      if (!is_damage(head.error())) return std::move(head).error();
      findings_.harm(findings_.add(head.error().message), path);
      return {};
    }
    const catalog::Head& read = head->document.head;
    const bool misplaced = path.starts_with("revisions/") && path != revision_path(read.sequence);
    if (read.volume != volume || misplaced || read.sequence > newest) {
      findings_.harm(findings_.add(path + " is not a head of this volume's revision"), path);
    }
    return add(path, *std::move(head));
  }

  Status add(const std::string& path, StoredHead head) {
    const Status signer = catalog::check_signer(head.document, options_.key, std::nullopt);
    if (!signer.ok()) findings_.harm(findings_.add(path + ": " + signer.error().message), path);
    report_.heads.push_back(path);
    heads_.push_back(std::move(head));
    return {};
  }

  Status walk(const catalog::Head& head) {
    metadata_.begin(head);
    for (const catalog::HotPack& hot : head.hot_packs) LAZYVOL_TRY(metadata_.hot_pack(hot));
    LAZYVOL_TRY_ASSIGN(const auto names, walk_.walk(Tree::names, head.roots.names));
    LAZYVOL_TRY_ASSIGN(const auto ids, walk_.walk(Tree::ids, head.roots.ids));
    if (!names.whole || !ids.whole || names.runs == ids.runs) return {};
    const auto number = findings_.add("revision " + std::to_string(head.sequence) +
                                      ": the trees of names and of ids disagree");
    return find_lost_ids(store_, head, findings_, number, stop_);
  }

  Status check_packs() {
    const std::vector<catalog::Digest> packs = metadata_.packs();
    std::uint64_t bytes = 0;
    for (const catalog::Digest& pack : packs) {
      LAZYVOL_TRY_ASSIGN(const auto object, store_.stat(catalog::pack_path(pack)));
      bytes += object ? object->size : 0;
    }
    reporter_.update(
        [&](VerifyProgress& seen) {
          seen.phase = VerifyProgress::Phase::data;
          seen.bytes_found = bytes;
        },
        true);
    return parallel_for(packs.size(), thread_count(options_.threads), stop_,
                        [&](std::size_t i) { return check_one(packs[i]); });
  }

  Status check_one(const catalog::Digest& pack) {
    const auto read = [&](std::uint64_t bytes) {
      reporter_.update([&](VerifyProgress& seen) { seen.bytes_done += bytes; });
    };
    const auto found = check_pack(store_, pack, read, stop_);
    if (!found.ok()) {
      if (!is_damage(found.error())) return found.error();
      findings_.suspect(pack, found.error().message);
      return {};
    }
    {
      const auto sum = sum_.lock();
      sum->packs += 1;
      sum->frames += found->frames;
      sum->bytes += found->bytes;
    }
    if (found->damage.empty()) return {};
    std::string what = catalog::pack_path(pack) + ": " + found->damage;
    if (found->damaged_frames > 1) {
      what += ", and " + std::to_string(found->damaged_frames - 1) + " more";
    }
    findings_.suspect(pack, what);
    return {};
  }

  Store& store_;
  const VerifyOptions& options_;
  const std::stop_token stop_;
  Reporter reporter_;
  Findings findings_;
  MetadataCheck metadata_;
  CatalogWalk walk_;
  std::vector<StoredHead> heads_;
  base::Locked<Sum> sum_;  // of packs
  VerifyReport report_;
};

}  // namespace

Result<VerifyReport> verify(Store& store, const VerifyOptions& options,
                            const std::function<void(const VerifyProgress&)>& progress,
                            std::stop_token stop) {
  return Verification(store, options, progress, std::move(stop)).run();
}

}  // namespace lazyvol::publish
