#include "fetch/file_extents.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

namespace lazyvol::fetch {
namespace {

Error damaged(std::string_view what) {
  return {Code::corrupt, "a file whose " + std::string(what)};
}

}  // namespace

ExtentWalk::ExtentWalk(const catalog::Content& content, std::uint64_t size, std::uint64_t begin,
                       std::uint64_t end)
    : begin_(begin), end_(std::min(end, size)) {
  std::uint64_t sum = 0;
  if (const auto* bytes = std::get_if<catalog::InlineContent>(&content)) {
    sum = bytes->bytes.size();
    add({.kind = FileExtent::Kind::inlined, .begin = 0, .length = sum, .frame = {}, .offset = 0});
  } else if (const auto* list = std::get_if<catalog::PieceContent>(&content)) {
    for (const catalog::Piece& piece : list->pieces) {
      if (std::uint64_t{piece.offset} + piece.length > piece.frame.raw) {
        status_ = damaged("pieces are not in their frames");
      }
      add({.kind = FileExtent::Kind::piece,
           .begin = sum,
           .length = piece.length,
           .frame = piece.frame,
           .offset = piece.offset});
      sum += piece.length;
    }
  } else if (const auto* map = std::get_if<catalog::MapContent>(&content)) {
    sum = size;
    if (begin_ < end_) ahead_.push_back({.frame = map->map, .begin = 0, .length = size});
  } else if (std::holds_alternative<catalog::ObjectContent>(content)) {
    status_ = damaged("bytes are an object, which a published volume does not have");
    return;
  }
  if (sum != size) status_ = damaged("size is not that of its content");
}

const catalog::FrameRef* ExtentWalk::needs() const {
  return ahead_.empty() || !status_.ok() ? nullptr : &ahead_.front().frame;
}

/// Keeps what lies in the range.
void ExtentWalk::add(FileExtent extent) {
  const std::uint64_t begin = std::max(extent.begin, begin_);
  const std::uint64_t end = std::min(extent.begin + extent.length, end_);
  if (begin >= end) return;
  if (extents_.size() == kMaxExtents) {
    status_ = damaged("bytes are in too many pieces");
    return;
  }
  if (extent.kind != FileExtent::Kind::hole) {
    extent.offset += static_cast<std::uint32_t>(begin - extent.begin);
  }
  extent.begin = begin;
  extent.length = end - begin;
  extents_.push_back(std::move(extent));
}

/// Moves what needs no map any more from the front to the extents.
void ExtentWalk::settle() {
  while (!ahead_.empty() && !ahead_.front().is_map) {
    add(std::move(ahead_.front().extent));
    ahead_.pop_front();
  }
}

Status ExtentWalk::enter(std::string_view bytes) {
  LAZYVOL_TRY(status_);
  const Map above = std::move(ahead_.front());
  ahead_.pop_front();
  LAZYVOL_TRY_ASSIGN(const catalog::FileMap map, catalog::FileMap::open(bytes));
  if (map.size() != above.length || (above.level && map.level() != *above.level)) {
    return status_ = damaged("map does not cover it");
  }
  std::vector<Map> rows;
  LAZYVOL_TRY_ASSIGN(auto found, map.find(std::max(begin_, above.begin) - above.begin));
  std::uint64_t begin = above.begin + found.begin;
  for (std::size_t row = found.row; row < map.rows() && begin < end_; ++row) {
    LAZYVOL_TRY_ASSIGN(const catalog::Extent extent, map.extent(row));
    Map next{.frame = extent.frame, .begin = begin, .length = extent.length};
    next.is_map = extent.kind == catalog::Extent::Kind::map;
    if (next.is_map) {
      next.level = map.level() - 1;
    } else {
      const bool hole = extent.kind == catalog::Extent::Kind::hole;
      next.extent = {.kind = hole ? FileExtent::Kind::hole : FileExtent::Kind::piece,
                     .begin = begin,
                     .length = extent.length,
                     .frame = extent.frame,
                     .offset = extent.offset};
    }
    begin += extent.length;
    rows.push_back(std::move(next));
  }
  const std::uint64_t end = above.begin + above.length;
  if (begin > end || begin < std::min(end, end_)) {
    return status_ = damaged("map does not add up");
  }
  ahead_.insert(ahead_.begin(), std::make_move_iterator(rows.begin()),
                std::make_move_iterator(rows.end()));
  settle();
  return status_;
}

namespace {

/// One find_extents() that has to wait. Held by the callback that it waits for.
class ExtentSearch : public std::enable_shared_from_this<ExtentSearch> {
 public:
  using Done = std::function<void(Result<std::vector<FileExtent>>)>;

  ExtentSearch(FrameStore& store, ExtentWalk walk, RequestContext ctx, Done done)
      : store_(store), walk_(std::move(walk)), ctx_(std::move(ctx)), done_(std::move(done)) {}

  void go() {
    while (const catalog::FrameRef* map = walk_.needs()) {
      const FrameBytes bytes = store_.at_hand(*map, FrameUse::map);
      if (!bytes) {
        return store_.get(
            *map, FrameUse::map, ctx_,
            [self = shared_from_this()](Result<FrameBytes> got) { self->go_on(std::move(got)); });
      }
      if (Status entered = walk_.enter(*bytes); !entered.ok()) {
        return done_(std::move(entered).error());
      }
    }
    if (!walk_.status().ok()) return done_(walk_.status().error());
    done_(std::move(walk_.extents()));
  }

 private:
  void go_on(Result<FrameBytes> got) {
    if (!got.ok()) return done_(std::move(got).error());
    if (Status entered = walk_.enter(**got); !entered.ok()) {
      return done_(std::move(entered).error());
    }
    go();
  }

  FrameStore& store_;
  ExtentWalk walk_;
  const RequestContext ctx_;
  const Done done_;
};

}  // namespace

void find_extents(FrameStore& store, const catalog::Content& content, std::uint64_t size,
                  std::uint64_t begin, std::uint64_t end, RequestContext ctx,
                  std::function<void(Result<std::vector<FileExtent>>)> done) {
  std::make_shared<ExtentSearch>(store, ExtentWalk(content, size, begin, end), std::move(ctx),
                                 std::move(done))
      ->go();
}

std::optional<std::vector<FileExtent>> extents_at_hand(FrameStore& store,
                                                       const catalog::Content& content,
                                                       std::uint64_t size, std::uint64_t begin,
                                                       std::uint64_t end) {
  ExtentWalk walk(content, size, begin, end);
  while (const catalog::FrameRef* map = walk.needs()) {
    const FrameBytes bytes = store.at_hand(*map, FrameUse::map);
    if (!bytes || !walk.enter(*bytes).ok()) return std::nullopt;
  }
  if (!walk.status().ok()) return std::nullopt;
  return std::move(walk.extents());
}

std::vector<catalog::FrameRef> frames_of(const std::vector<FileExtent>& extents) {
  std::vector<catalog::FrameRef> frames;
  std::set<catalog::FrameRef> seen;
  for (const FileExtent& extent : extents) {
    if (extent.kind == FileExtent::Kind::piece && seen.insert(extent.frame).second) {
      frames.push_back(extent.frame);
    }
  }
  return frames;
}

}  // namespace lazyvol::fetch
