#include "publish/publisher.h"
#include "publish/kept_heads.h"

#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "catalog/head_check.h"
#include "publish/bundler.h"
#include "publish/file_rows.h"
#include "publish/file_storage.h"
#include "publish/frame_pipe.h"
#include "publish/hot_pack.h"
#include "publish/map_writer.h"
#include "publish/match.h"
#include "publish/merge.h"
#include "publish/old_tree.h"
#include "publish/page_packs.h"
#include "publish/page_walk.h"
#include "publish/publication.h"
#include "publish/read_ahead.h"
#include "publish/revision.h"
#include "publish/scan.h"
#include "publish/state.h"
#include "publish/state_trust.h"
#include "publish/volume_reader.h"

namespace lazyvol::publish {
namespace {

std::optional<Inode> inode_of(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return std::nullopt;
  return Inode{status.st_dev, status.st_ino};
}

constexpr unsigned kMaxThreads = 256;
constexpr std::chrono::hours kMaxExpiry{24 * 366 * 100};
// Frames may be long, and those that are read again lie side by side.
constexpr std::size_t kFramesKept = 8;

/// Who reads at random wants one chunk, not what is bundled with it.
Limits limits_for(Chunks chunks, Limits limits) {
  if (chunks == Chunks::fixed) limits.frame_target = std::min(limits.frame_target, kFixedChunk);
  return limits;
}

class Publication {
 public:
  Publication(const Limits& limits, Store& store, const PublishOptions& options,
              const std::function<void(const PublishProgress&)>& tell, std::stop_token stop)
      : limits_(limits_for(options.chunks, limits)),
        store_(store),
        options_(options),
        progress_(tell, std::move(stop)),
        threads_(
            std::clamp(options.threads != 0 ? options.threads : std::thread::hardware_concurrency(),
                       1U, kMaxThreads)),
        pages_(store),
        frames_(store, kFramesKept),
        page_packs_(store, limits_, threads_, progress_) {}

  Result<PublishReport> run() {
    LAZYVOL_TRY(check_options());
    LAZYVOL_TRY_ASSIGN(state_, State::open(options_.state_dir));
    LAZYVOL_TRY_ASSIGN(before_, read_head(store_, std::string(kHeadPath)));
    LAZYVOL_TRY(check_key());
    LAZYVOL_TRY(check_head());
    LAZYVOL_TRY(scan());
    LAZYVOL_TRY(recall());
    LAZYVOL_TRY(store_contents());
    LAZYVOL_TRY(make_revision());
    return finish();
  }

 private:
  Status check_options() const {
    for (const std::string& tag : options_.tags) {
      const auto path = tag_path(tag);
      if (!path.ok()) return path.error();
    }
    if (options_.expires_in.count() < 0 || options_.expires_in > kMaxExpiry) {
      return Error{Code::invalid_argument, "a head expires after a hundred years at most"};
    }
    if (options_.level < 1 || options_.level > 19) {
      return Error{Code::invalid_argument, "zstd has levels from 1 to 19"};
    }
    return {};
  }

  // A volume whose head was lost is not begun anew: its revisions would go, and all who know it
  // would take it for another. A first publish that was stopped leaves revision 1, and is taken up.
  Status check_head() const {
    if (before_) return {};
    LAZYVOL_TRY_ASSIGN(const KeptHeads kept, list_kept_heads(store_, 0));
    if (kept.revisions.empty() || kept.revisions.back().sequence <= 1) return {};
    return Error{Code::stale, store_.display() + " holds revisions and no lazyvol-head: copy " +
                                  kept.revisions.back().path +
                                  " to lazyvol-head, or publish to another place"};
  }

  // Nobody but the owner of the key that signed a volume may publish to it.
  Status check_key() const {
    LAZYVOL_TRY_ASSIGN(const auto signer, signer_before());
    if (!signer || (options_.key && options_.key->public_key() == *signer)) return {};
    return Error{Code::access_denied,
                 store_.display() + " is signed by " + signer->text() +
                     (options_.key ? ", not by the key that was given" : ", and no key was given")};
  }

  /// Of the present head; where that is missing, of the newest revision that is still there.
  Result<std::optional<catalog::PublicKey>> signer_before() const {
    if (before_) return before_->document.signer;
    LAZYVOL_TRY_ASSIGN(const KeptHeads kept, list_kept_heads(store_, 0));
    if (kept.revisions.empty()) return std::optional<catalog::PublicKey>();
    LAZYVOL_TRY_ASSIGN(StoredHead newest, need_head(store_, kept.revisions.back().path));
    return std::move(newest.document.signer);
  }

  Status scan() {
    progress_.enter(PublishProgress::Phase::scanning);
    ScanSettings settings;
    settings.root = options_.tree;
    settings.one_file_system = options_.one_file_system;
    settings.threads = threads_;
    settings.left_out = limits_.left_out;
    if (store_.display().starts_with('/')) settings.store = inode_of(store_.display());
    settings.state = inode_of(options_.state_dir.string());
    LAZYVOL_TRY_ASSIGN(Scan scan, scan_tree(settings, progress_));
    scan_.emplace(std::move(scan));
    report_.left_out = std::move(scan_->left_out);
    report_.left_out_total = scan_->left_out_total;
    return {};
  }

  // What is known from before: the old names, and which files need not be read.
  Status recall() {
    const std::optional<catalog::HeadDocument> document =
        before_ ? std::optional(before_->document) : std::nullopt;
    head_ = document ? document->head : catalog::Head();
    if (!document) {
      head_.volume = catalog::random_uuid();
      head_.roots = catalog::empty_roots();
      head_.frame_target = limits_.frame_target;
    }
    LAZYVOL_TRY(check_rows(store_, *state_, document));
    rows_.emplace(state_->rows());
    const auto names = std::make_shared<const std::string>(head_.roots.names);
    LAZYVOL_TRY_ASSIGN(pack_sizes_, list_packs(store_));
    PackSet present;
    for (const auto& [pack, size] : pack_sizes_) present.insert(pack);
    LAZYVOL_TRY_ASSIGN(old_,
                       OldTree::load(pages_, frames_, names, present, *state_, *rows_, progress_));
    state_->trust(old_.packs(), present);
    match_ = match_tree(scan_->tree, old_, *rows_);
    const auto& nodes = scan_->tree.nodes;
    progress_.files_done = match_.files_unchanged;
    for (const Node& node : nodes) {
      if (node.fate == Fate::kept) progress_.bytes_done += node.stamp.size;
    }
    report_.files_unchanged = match_.files_unchanged;
    report_.files_read = match_.to_read.size();
    return {};
  }

  Status store_contents() {
    progress_.enter(PublishProgress::Phase::storing);
    FramePipe pipe(store_, *state_, places_, limits_, options_.level, threads_, progress_);
    Bundler bundler(*state_, pipe, places_, contents_, limits_, progress_);
    ReadAhead ahead(scan_->root, scan_->tree, match_.to_read, options_.chunks, limits_, threads_,
                    progress_);
    LAZYVOL_TRY(store_files(ahead, bundler, scan_->tree, match_, *rows_, contents_, progress_));
    LAZYVOL_TRY(pipe.finish());
    report_.objects_written += pipe.packs();
    report_.data_bytes = pipe.bytes();
    return {};
  }

  Status make_revision() {
    progress_.enter(PublishProgress::Phase::catalog);
    const catalog::Head old = head_;
    const bool is_first = !before_;
    // The numbers of a revision that changes nothing are the old ones, all of them.
    const NodeId next_id = number_nodes(scan_->tree, match_, head_.next_id);
    head_.next_id = next_id;
    std::vector<std::uint32_t> mapped;
    for (std::uint32_t i = 0; i < contents_.files.size(); ++i) {
      if (needs_map(contents_.files[i]) && contents_.files[i].count > 0) mapped.push_back(i);
    }
    LAZYVOL_TRY_ASSIGN(const WrittenMaps maps,
                       write_maps(contents_, mapped, places_, page_packs_, *state_));
    const MergeInput input{scan_->tree, match_,    contents_,     places_,
                           maps,        old.roots, head_.chunking};
    LAZYVOL_TRY_ASSIGN(Merged merged, make_catalog(input, pages_, page_packs_, *state_, limits_));
    head_.roots = std::move(merged.roots);
    const Node& root = scan_->tree.nodes[0];
    head_.root = {root.mode, root.uid, root.gid, root.stamp.mtime_ns};
    LAZYVOL_TRY(make_hot_pack(old.hot_packs));
    LAZYVOL_TRY(sum_up(merged));
    set_expiry();
    report_.changed = is_first || head_.roots != old.roots || head_.root != old.root ||
                      head_.hot_packs != old.hot_packs || expiry_changes(old) || key_changes();
    return {};
  }

  Status make_hot_pack(const std::vector<catalog::HotPack>& known) {
    LAZYVOL_TRY_ASSIGN(WrittenHotPack hot, write_hot_pack(store_, pages_, head_.roots,
                                                          options_.profile, known, progress_));
    report_.profile_unknown = std::move(hot.unknown);
    head_.hot_packs.clear();
    if (!hot.pack) return {};
    head_.hot_packs.push_back(*hot.pack);
    if (!hot.is_new) return {};
    report_.data_bytes += hot.pack->bytes;
    ++report_.objects_written;
    return {};
  }

  Status sum_up(Merged& merged) {
    report_.metadata_bytes = page_packs_.bytes();
    report_.objects_written += page_packs_.packs();
    report_.entries_changed = merged.changed;
    report_.entries = merged.entries;
    const auto& sums = merged.statistics;
    report_.files = sums.files;
    report_.directories = sums.directories;
    report_.symlinks = sums.symlinks;
    report_.bytes = sums.bytes;
    report_.bytes_read = progress_.bytes_read;
    report_.bytes_known = progress_.bytes_known;
    const auto add = [&](const catalog::FrameRef& frame) { merged.packs.insert(frame.pack); };
    LAZYVOL_TRY(for_each_page(pages_, head_.roots.names, false, add));
    LAZYVOL_TRY(for_each_page(pages_, head_.roots.ids, false, add));
    for (const catalog::HotPack& hot : head_.hot_packs) merged.packs.insert(hot.pack);
    LAZYVOL_TRY_ASSIGN(pack_sizes_, list_packs(store_));
    head_.statistics = sums;
    for (const catalog::Digest& pack : merged.packs) {
      const auto found = pack_sizes_.find(pack);
      if (found == pack_sizes_.end()) {
        return Error{Code::corrupt, store_.display() + "/" + catalog::pack_path(pack) +
                                        " is missing, and the tree needs it"};
      }
      head_.statistics.stored_bytes += found->second;
    }
    return {};
  }

  void set_expiry() {
    head_.created_ns = base::system_clock().wall_ns();
    head_.expires_ns = 0;
    if (options_.expires_in.count() > 0) {
      head_.expires_ns = head_.created_ns + std::chrono::nanoseconds(options_.expires_in).count();
    }
  }
  // An unchanged tree is published again in time before its head expires.
  bool expiry_changes(const catalog::Head& old) const {
    if ((head_.expires_ns == 0) != (old.expires_ns == 0)) return true;
    if (head_.expires_ns == 0) return false;
    return old.expires_ns - head_.created_ns <
           std::chrono::nanoseconds(options_.expires_in).count() / 2;
  }
  bool key_changes() const { return options_.key && before_ && !before_->document.signer; }

  Result<PublishReport> finish() {
    progress_.enter(PublishProgress::Phase::finishing);
    StoredHead now;
    if (report_.changed) {
      const catalog::SecretKey* key = options_.key ? &*options_.key : nullptr;
      LAZYVOL_TRY_ASSIGN(now, publish_head(store_, before_, head_, key));
      report_.objects_written += 2;
    } else {
      now = *before_;
    }
    report_.sequence = now.document.head.sequence;
    LAZYVOL_TRY_ASSIGN(const std::uint64_t tags, put_tags(store_, options_.tags, now.text));
    report_.objects_written += tags;
    // The revision stands; what is not remembered is learned again the next time.
    if (const Status status = remember(now); !status.ok()) {
      base::log_warn("{}", status.error().message);
    }
    progress_.enter(PublishProgress::Phase::finishing);
    return std::move(report_);
  }

  Status remember(const StoredHead& now) {
    constexpr std::size_t kBatch = 20'000;
    const std::vector<FileRow> rows = new_rows(scan_->tree, match_, contents_, *rows_);
    for (std::size_t at = 0; at < rows.size(); at += kBatch) {
      const std::span part = std::span(rows).subspan(at);
      LAZYVOL_TRY(state_->put_rows(part.first(std::min(kBatch, part.size()))));
    }
    std::vector<NodeId> gone;
    for (std::size_t i = 0; i < rows_->size(); ++i) {
      if (!match_.claimed[i]) gone.push_back(rows_->at(i).id);
    }
    if (!gone.empty()) LAZYVOL_TRY(state_->erase_rows(gone));
    return state_->set_synced({now.document.head.sequence, now.document.digest});
  }

  const Limits limits_;
  Store& store_;
  const PublishOptions& options_;
  Progress progress_;
  const unsigned threads_;
  StorePages pages_, frames_;
  PagePacks page_packs_;

  std::unique_ptr<State> state_;
  std::optional<StoredHead> before_;
  std::optional<Scan> scan_;
  catalog::Head head_;  // in the making
  std::optional<FileRows> rows_;
  OldTree old_;
  PackSizes pack_sizes_;
  Match match_;
  FramePlaces places_;
  Contents contents_;
  PublishReport report_;
};

}  // namespace

Result<PublishReport> publish_within(const Limits& limits, Store& store,
                                     const PublishOptions& options,
                                     const std::function<void(const PublishProgress&)>& progress,
                                     std::stop_token stop) {
  return Publication(limits, store, options, progress, std::move(stop)).run();
}

Result<PublishReport> publish(Store& store, const PublishOptions& options,
                              const std::function<void(const PublishProgress&)>& progress,
                              std::stop_token stop) {
  return publish_within(Limits(), store, options, progress, std::move(stop));
}

}  // namespace lazyvol::publish
