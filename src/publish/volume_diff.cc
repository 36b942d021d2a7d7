#include "publish/volume_diff.h"

#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "catalog/catalog_read.h"
#include "catalog/tree_diff.h"
#include "publish/entry_paths.h"
#include "publish/volume_reader.h"

namespace lazyvol::publish {

using catalog::Entry;
using Kind = NameChange::Kind;

namespace {

/// One of the two revisions, to be asked about single entries.
class Revision {
 public:
  Revision(catalog::PageReader& reader, const catalog::Head& head)
      : reader_(reader),
        head_(head),
        names_(std::make_shared<const std::string>(head.roots.names)),
        ids_(std::make_shared<const std::string>(head.roots.ids)),
        paths_(reader, head.roots) {}

  Result<std::optional<Entry>> by_id(NodeId id) const {
    if (id >= head_.next_id) return std::optional<Entry>();  // spares the look at most new ids
    return catalog::find_entry(reader_, names_, ids_, id);
  }
  Result<bool> has(const Entry& place, NodeId id) const {
    LAZYVOL_TRY_ASSIGN(const auto entry,
                       catalog::find_entry(reader_, names_, place.directory, place.name));
    return entry && entry->id == id;
  }
  Result<std::string> path(const Entry& entry) { return paths_.path(entry.directory, entry.name); }

 private:
  catalog::PageReader& reader_;
  const catalog::Head& head_;
  const catalog::Page names_, ids_;
  EntryPaths paths_;
};

/// What differs besides the name: nothing, attributes or content.
std::optional<Kind> difference(const Entry& before, const Entry& after) {
  if (before.type != after.type || before.size != after.size ||
      before.symlink_target != after.symlink_target ||
      // Not where they lie: a publisher may move bytes that stay.
      content_key(before) != content_key(after)) {
    return Kind::content;
  }
  const bool alike = before.mode == after.mode && before.uid == after.uid &&
                     before.gid == after.gid && before.mtime_ns == after.mtime_ns &&
                     before.nlink == after.nlink && before.xattrs == after.xattrs;
  return alike ? std::nullopt : std::optional(Kind::attributes);
}

class Differ {
 public:
  Differ(catalog::PageReader& reader, const catalog::Head& before, const catalog::Head& after,
         const std::function<Status(const NameChange&)>& visit)
      : before_(reader, before), after_(reader, after), visit_(visit) {}

  Status show(const catalog::Change& change) {
    if (!change.before) return added(*change.after);
    if (!change.after) return removed(*change.before);
    if (change.before->id == change.after->id) return changed(*change.before, *change.after);
    return replaced(*change.before, *change.after);
  }

 private:
  /// Where the entry of this new name was before, if that name is not its any more. Only the name
  /// that is no alias moves: the others are links that come and go.
  Result<std::optional<Entry>> origin(const Entry& entry) {
    if (entry.alias) return std::optional<Entry>();
    LAZYVOL_TRY_ASSIGN(auto old, before_.by_id(entry.id));
    if (!old) return std::optional<Entry>();
    LAZYVOL_TRY_ASSIGN(const bool stays, after_.has(*old, entry.id));
    return stays ? std::optional<Entry>() : std::move(old);
  }
  /// Whether the entry of this old name goes on under another that it had not: origin()'s twin.
  Result<bool> went_on(const Entry& entry) {
    if (entry.alias) return false;
    LAZYVOL_TRY_ASSIGN(const auto now, after_.by_id(entry.id));
    if (!now) return false;
    LAZYVOL_TRY_ASSIGN(const bool was, before_.has(*now, entry.id));
    return !was;
  }

  Status added(const Entry& entry) {
    LAZYVOL_TRY_ASSIGN(const auto old, origin(entry));
    return old ? moved(*old, entry) : show(Kind::added, entry);
  }
  Status removed(const Entry& entry) {
    LAZYVOL_TRY_ASSIGN(const bool goes_on, went_on(entry));
    if (goes_on) return {};  // shown where it went
    LAZYVOL_TRY_ASSIGN(std::string path, before_.path(entry));
    return visit_({Kind::removed, std::move(path), {}, entry.type});
  }
  Status moved(const Entry& old, const Entry& entry) {
    LAZYVOL_TRY_ASSIGN(std::string old_path, before_.path(old));
    LAZYVOL_TRY_ASSIGN(std::string path, after_.path(entry));
    LAZYVOL_TRY(visit_({Kind::moved, std::move(path), std::move(old_path), entry.type}));
    return changed(old, entry);
  }
  Status changed(const Entry& old, const Entry& entry) {
    const auto kind = difference(old, entry);
    return kind ? show(*kind, entry) : Status();
  }
  /// One name, two entries: one file in place of another, unless one of them only changed places.
  Status replaced(const Entry& old, const Entry& entry) {
    LAZYVOL_TRY_ASSIGN(const auto from, origin(entry));
    LAZYVOL_TRY_ASSIGN(const bool goes_on, went_on(old));
    if (!from && !goes_on) return show(difference(old, entry).value_or(Kind::attributes), entry);
    if (!goes_on) LAZYVOL_TRY(removed(old));
    return added(entry);
  }
  Status show(Kind kind, const Entry& entry) {
    LAZYVOL_TRY_ASSIGN(std::string path, after_.path(entry));
    return visit_({kind, std::move(path), {}, entry.type});
  }

  Revision before_, after_;
  const std::function<Status(const NameChange&)>& visit_;
};

}  // namespace

Status diff_revisions(Store& store, const catalog::Head& before, const catalog::Head& after,
                      const std::function<Status(const NameChange&)>& visit, std::stop_token stop) {
  if (before.volume != after.volume) {
    return Error{Code::invalid_argument, "two heads of different volumes"};
  }
  if (before.root != after.root) {
    LAZYVOL_TRY(visit({Kind::attributes, {}, {}, NodeType::directory}));
  }
  StorePages pages(store);
  Differ differ(pages, before, after, visit);
  catalog::TreeDiff diff(before.roots.names, after.roots.names);
  for (;;) {
    if (stop.stop_requested()) return Error{Code::cancelled, "stopped"};
    LAZYVOL_TRY_ASSIGN(const auto step, diff.next());
    if (const auto* wanted = std::get_if<catalog::TreeDiff::Wanted>(&step)) {
      LAZYVOL_TRY_ASSIGN(const catalog::Page page, pages.read(wanted->frame));
      LAZYVOL_TRY(diff.supply(*page));
    } else if (const auto* change = std::get_if<catalog::Change>(&step)) {
      LAZYVOL_TRY(differ.show(*change));
    } else {
      return {};
    }
  }
}

}  // namespace lazyvol::publish
