#include "publish/hot_pack.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "catalog/catalog_read.h"
#include "catalog/pack.h"
#include "publish/map_reader.h"

namespace lazyvol::publish {
namespace {

Result<std::optional<catalog::Entry>> find_path(catalog::PageReader& reader,
                                                const catalog::Page& names, std::string_view path) {
  NodeId directory = kRootNode;
  std::optional<catalog::Entry> entry;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (name.empty() || name == ".") continue;
    if (!valid_name(name) || (entry && entry->type != NodeType::directory)) {
      return std::optional<catalog::Entry>();
    }
    LAZYVOL_TRY_ASSIGN(entry, catalog::find_entry(reader, names, directory, name));
    if (!entry) return entry;
    directory = entry->id;
  }
  return entry;
}

// Frames in order, each once.
class Wanted {
 public:
  void add(const catalog::FrameRef& frame) {
    if (bytes_ + frame.stored > kHotPackBytes || !seen_.insert(frame.hash).second) return;
    bytes_ += frame.stored;
    frames_.push_back(frame);
  }
  bool is_full() const { return bytes_ + (1U << 16) > kHotPackBytes; }
  const std::vector<catalog::FrameRef>& frames() const { return frames_; }

 private:
  std::uint64_t bytes_ = 0;
  std::vector<catalog::FrameRef> frames_;
  std::unordered_set<catalog::Digest, catalog::DigestHash> seen_;
};

bool overlaps(const std::vector<model::ProfileRange>& ranges, std::uint64_t begin,
              std::uint64_t end) {
  return ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) {
           return range.begin < end && begin < range.end;
         });
}

Status add_content(const catalog::Content& content, const std::vector<model::ProfileRange>& ranges,
                   catalog::PageReader& reader, Wanted& wanted) {
  std::uint64_t at = 0;
  const auto add = [&](const catalog::FrameRef& frame, std::uint64_t length) {
    if (overlaps(ranges, at, at + length)) wanted.add(frame);
    at += length;
  };
  if (const auto* list = std::get_if<catalog::PieceContent>(&content)) {
    for (const catalog::Piece& piece : list->pieces) add(piece.frame, piece.length);
  }
  const auto* map = std::get_if<catalog::MapContent>(&content);
  if (map == nullptr) return {};
  return for_each_extent(
      reader, map->map,
      [&](const catalog::Extent& extent) -> Status {
        if (extent.kind == catalog::Extent::Kind::piece) {
          add(extent.frame, extent.length);
        } else {
          at += extent.length;
        }
        return {};
      },
      [&](const catalog::FrameRef& frame) { wanted.add(frame); });
}

}  // namespace

Result<WrittenHotPack> write_hot_pack(Store& store, catalog::PageReader& reader,
                                      const catalog::Roots& roots, const model::Profile& profile,
                                      std::span<const catalog::HotPack> known, Progress& progress) {
  WrittenHotPack written;
  const auto names = std::make_shared<const std::string>(roots.names);
  Wanted wanted;
  for (const model::ProfileItem& item : profile) {
    LAZYVOL_TRY(progress.check());
    progress.tick();
    if (wanted.is_full()) break;
    LAZYVOL_TRY_ASSIGN(const auto entry, find_path(reader, names, item.path));
    if (!entry && !item.path.empty()) written.unknown.push_back(item.path);
    if (entry) LAZYVOL_TRY(add_content(entry->content, item.ranges, reader, wanted));
  }
  if (wanted.frames().empty()) return written;

  catalog::PackBuilder builder(catalog::PackKind::data);
  std::string bytes = builder.begin();
  for (const catalog::FrameRef& frame : wanted.frames()) {
    LAZYVOL_TRY(progress.check());
    progress.tick();
    LAZYVOL_TRY_ASSIGN(std::string stored,
                       store.read(catalog::pack_path(frame.pack), frame.offset, frame.stored));
    if (catalog::sha256(stored) != frame.hash) {
      return Error{Code::corrupt, "a damaged frame in " + catalog::pack_path(frame.pack)};
    }
    bytes += stored;
    LAZYVOL_TRY(builder.add({std::move(stored), frame.raw, frame.hash}));
  }
  bytes += builder.finish();
  written.pack = catalog::HotPack{builder.name(), builder.size()};
  written.is_new = std::find(known.begin(), known.end(), *written.pack) == known.end();
  if (!written.is_new) return written;
  LAZYVOL_TRY_ASSIGN(const auto object, store.create());
  LAZYVOL_TRY(object->write(bytes));
  LAZYVOL_TRY(object->commit(catalog::pack_path(written.pack->pack)));
  return written;
}

}  // namespace lazyvol::publish
