#include "git/compile.h"

#include <unistd.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "git/object_id.h"
#include "git/object_name.h"
#include "git/old_entries.h"

namespace lazyvol::git {
namespace {

using Number = Snapshot::Number;

// More edits than this are slower than building anew.
constexpr std::size_t kMaxEdits = 50'000;
constexpr std::uint32_t kFileMode = 0644, kProgramMode = 0755, kDirectoryMode = 0755,
                        kLinkMode = 0777;

bool is_directory(RowType type) {
  return type == RowType::directory || type == RowType::submodule;
}

class Compiler {
 public:
  Compiler(const CompileInput& input, const std::optional<StoredHead>& before, LocalVolume& volume)
      : in_(input), before_(before), volume_(volume), made_(input.snapshot.size()) {}

  Result<Compiled> run() {
    if (before_) next_id_ = before_->document.head.next_id;
    if (keeps()) {
      LAZYVOL_TRY_ASSIGN(old_, OldEntries::load(volume_, before_->document.head));
    }
    LAZYVOL_TRY(find_sizes());
    LAZYVOL_TRY(find_pointers());
    match();
    LAZYVOL_TRY(write());
    return finish();
  }

 private:
  struct Made {
    NodeId id = 0;
    const OldEntries::Old* old = nullptr;  ///< what keeps its id
    bool left_out = false;
    bool names_changed = false;  ///< of a directory
    std::uint32_t subdirectories = 0;
  };

  bool keeps() const { return before_.has_value() && !in_.anew; }
  const Snapshot::Node& node(Number number) const { return in_.snapshot.node(number); }

  std::string blob_name(Number number) const {
    return object_name(node(number).remote, in_.snapshot.id(number));
  }

  /// What a file's bytes are called.
  std::string key(Number number) const {
    const auto found = lfs_.find(number);
    return found == lfs_.end() ? blob_name(number)
                               : lfs_object_name(node(number).remote, found->second);
  }

  bool is_empty(Number number) const {
    const auto found = lfs_.find(number);
    return found == lfs_.end() ? is_empty_blob(in_.snapshot.id(number)) : found->second.size == 0;
  }

  Status find_sizes() {
    sizes_.insert(in_.here.begin(), in_.here.end());
    for (const OldEntries::Old& one : old_.all()) {
      if (one.type == NodeType::file && one.size != catalog::kUnknownSize && !one.key.empty()) {
        sizes_.emplace(one.key, one.size);
      }
    }
    std::map<std::uint16_t, std::vector<std::string>> wanted;
    for (Number number = 1; number < in_.snapshot.size(); ++number) {
      const auto type = node(number).type;
      if (type != RowType::file && type != RowType::program) continue;
      if (is_empty(number) || sizes_.contains(blob_name(number))) continue;
      wanted[node(number).remote].emplace_back(in_.snapshot.id(number));
    }
    for (auto& [remote, ids] : wanted) {
      std::sort(ids.begin(), ids.end());
      ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
      LAZYVOL_TRY_ASSIGN(const Sizes found, in_.sizes(remote, ids));
      for (const auto& [id, size] : found) sizes_.emplace(object_name(remote, id), size);
    }
    return {};
  }

  Status find_pointers() {
    std::vector<std::string> names;
    for (const Number number : in_.lfs_files) {
      std::string name = blob_name(number);
      const auto size = sizes_.find(name);
      const bool fits = size == sizes_.end() || size->second < kLfsPointerBytes;
      if (fits && !is_empty(number)) names.push_back(std::move(name));
    }
    if (names.empty()) return {};
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    LAZYVOL_TRY_ASSIGN(const LfsPointers pointers, in_.pointers(names));
    for (const Number number : in_.lfs_files) {
      const auto found = pointers.find(blob_name(number));
      if (found != pointers.end()) lfs_.emplace(number, found->second);
    }
    out_.lfs_files = lfs_.size();
    return {};
  }

  // Parents before children: their ids say where to look for the old ones.
  void match() {
    made_[Snapshot::kRoot].id = kRootNode;
    order_.push_back(Snapshot::kRoot);
    for (std::size_t i = 0; i < order_.size(); ++i) match_children(order_[i]);
    std::sort(order_.begin(), order_.end(),
              [this](Number a, Number b) { return made_[a].id < made_[b].id; });
  }

  void match_children(Number directory) {
    const bool known = made_[directory].old != nullptr || (directory == Snapshot::kRoot && keeps());
    const auto names = known ? old_.in(made_[directory].id) : std::span<const OldEntries::Old>();
    auto at = names.begin();
    std::size_t kept = 0, count = 0;
    for (const Number child : in_.snapshot.children(directory)) {
      const std::string_view name = in_.snapshot.name(child);
      while (at != names.end() && at->name < name) ++at;
      const bool same_name = at != names.end() && at->name == name;
      decide(child, same_name ? &*at : nullptr);
      if (made_[child].left_out) continue;
      ++count;
      if (made_[child].old != nullptr) ++kept;
      if (is_directory(node(child).type)) {
        ++made_[directory].subdirectories;
        order_.push_back(child);
      }
    }
    made_[directory].names_changed = kept != count || count != names.size();
  }

  void decide(Number number, const OldEntries::Old* old) {
    Made& made = made_[number];
    const RowType type = node(number).type;
    if (type == RowType::symlink && target(number).empty()) {
      made.left_out = true;
      ++out_.left_out;
      return;
    }
    if (old != nullptr && is_same(number, *old)) made.old = old;
    made.id = made.old != nullptr ? made.old->id : next_id_++;
  }

  bool is_same(Number number, const OldEntries::Old& old) const {
    switch (node(number).type) {
      case RowType::directory:
      case RowType::submodule:
        return old.type == NodeType::directory;
      case RowType::symlink:
        return old.type == NodeType::symlink && old.key == target(number);
      case RowType::file:
      case RowType::program:
        break;
    }
    return old.type == NodeType::file && old.mode == mode(node(number).type) &&
           old.key == (is_empty(number) ? std::string() : key(number));
  }

  static std::uint32_t mode(RowType type) {
    switch (type) {
      case RowType::directory:
      case RowType::submodule:
        return kDirectoryMode;
      case RowType::symlink:
        return kLinkMode;
      case RowType::program:
        return kProgramMode;
      case RowType::file:
        return kFileMode;
    }
    return kFileMode;
  }

  /// Empty: none that a link can have.
  std::string target(Number number) const {
    const auto found = in_.targets.find(blob_name(number));
    if (found == in_.targets.end() || found->second.size() > kMaxPath) return {};
    return found->second.find('\0') == std::string::npos ? found->second : std::string();
  }

  catalog::Entry entry(Number number) {
    const Made& made = made_[number];
    const RowType type = node(number).type;
    catalog::Entry entry;
    entry.directory = made_[node(number).parent].id;
    entry.name = in_.snapshot.name(number);
    entry.id = made.id;
    entry.mode = mode(type);
    entry.uid = ::geteuid();
    entry.gid = ::getegid();
    const bool fresh = made.old == nullptr || (is_directory(type) && made.names_changed);
    entry.mtime_ns = fresh ? in_.commit_ns : made.old->mtime_ns;
    if (is_directory(type)) {
      entry.type = NodeType::directory;
      entry.nlink = 2 + made.subdirectories;
    } else if (type == RowType::symlink) {
      entry.type = NodeType::symlink;
      entry.symlink_target = target(number);
      entry.size = entry.symlink_target.size();
    } else if (!is_empty(number)) {
      entry.size = size_of(number);
      entry.content = catalog::ObjectContent{key(number)};
    }
    return entry;
  }

  std::uint64_t size_of(Number number) const {
    if (const auto found = lfs_.find(number); found != lfs_.end()) return found->second.size;
    const auto size = sizes_.find(blob_name(number));
    return size == sizes_.end() ? catalog::kUnknownSize : size->second;
  }

  void count(const catalog::Entry& entry) {
    constexpr std::uint64_t kSmall = 64 * 1024;
    catalog::Statistics& sums = out_.head.statistics;
    ++out_.entries;
    if (entry.type == NodeType::directory) ++sums.directories;
    if (entry.type == NodeType::symlink) ++sums.symlinks;
    if (entry.type != NodeType::file) return;
    ++sums.files;
    if (entry.size == catalog::kUnknownSize) {
      ++out_.unknown_sizes;
      return;
    }
    if (entry.size <= kSmall) ++sums.small_files;
    sums.bytes += entry.size;
  }

  template <class Put>
  Status for_each_made(Put put) {
    for (const Number directory : order_) {
      for (const Number child : in_.snapshot.children(directory)) {
        if (!made_[child].left_out) LAZYVOL_TRY(put(child));
      }
    }
    return {};
  }

  bool is_edit(Number number, const catalog::Entry& entry) const {
    const Made& made = made_[number];
    return made.old == nullptr || (is_directory(node(number).type) && made.names_changed) ||
           entry.size != made.old->size;
  }

  /// Old names and new ones side by side, both in the catalog's order.
  Status find_edits() {
    auto at = old_.all().begin();
    const auto end = old_.all().end();
    const auto erase = [&] {
      edits_.push_back(catalog::erase_entry(at->directory, at->name));
      ++at;
    };
    LAZYVOL_TRY(for_each_made([&](Number number) -> Status {
      catalog::Entry one = entry(number);
      count(one);
      const auto before = [&] {
        return at->directory != one.directory ? at->directory < one.directory : at->name < one.name;
      };
      while (at != end && before()) erase();
      if (at != end && at->directory == one.directory && at->name == one.name) ++at;
      if (is_edit(number, one)) edits_.push_back(catalog::put_entry(std::move(one)));
      return {};
    }));
    while (at != end) erase();
    out_.changed = edits_.size();
    return {};
  }

  Status write() {
    if (keeps()) {
      out_.head.chunking = before_->document.head.chunking;
      LAZYVOL_TRY(find_edits());
      if (edits_.size() <= kMaxEdits) {
        LAZYVOL_TRY_ASSIGN(out_.head.roots,
                           catalog::update_catalog(volume_, volume_, before_->document.head.roots,
                                                   out_.head.chunking, std::move(edits_)));
        return {};
      }
    }
    catalog::CatalogBuilder builder(volume_, out_.head.chunking);
    LAZYVOL_TRY(for_each_made([&](Number number) {
      catalog::Entry one = entry(number);
      if (!keeps()) count(one);
      return builder.add(std::move(one));
    }));
    if (!keeps()) out_.changed = out_.entries;
    LAZYVOL_TRY_ASSIGN(out_.head.roots, builder.finish());
    return {};
  }

  Compiled finish() {
    catalog::Head& head = out_.head;
    head.volume = before_ ? before_->document.head.volume : catalog::random_uuid();
    head.sequence = before_ ? before_->document.head.sequence + 1 : 1;
    if (before_) head.parent = before_->document.digest;
    head.created_ns = in_.now_ns;
    head.next_id = next_id_;
    head.root.mode = kDirectoryMode;
    head.root.xattrs = {{"user.lazyvol.commit", in_.commit}};
    head.root.uid = ::geteuid();
    head.root.gid = ::getegid();
    const bool fresh = !keeps() || made_[Snapshot::kRoot].names_changed;
    head.root.mtime_ns = fresh ? in_.commit_ns : before_->document.head.root.mtime_ns;
    return std::move(out_);
  }

  const CompileInput& in_;
  const std::optional<StoredHead>& before_;
  LocalVolume& volume_;
  OldEntries old_;
  std::vector<Made> made_;
  std::vector<Number> order_;  ///< directories, by id once match() is done
  std::unordered_map<std::string, std::uint64_t> sizes_;  ///< of blobs
  std::unordered_map<Number, LfsPointer> lfs_;            ///< of files that are shown through it
  std::vector<catalog::EntryEdit> edits_;
  NodeId next_id_ = kRootNode + 1;
  Compiled out_;
};

}  // namespace

Result<Compiled> compile(const CompileInput& input, const std::optional<StoredHead>& before,
                         LocalVolume& volume) {
  return Compiler(input, before, volume).run();
}

}  // namespace lazyvol::git
