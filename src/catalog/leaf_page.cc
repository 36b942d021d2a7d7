#include "catalog/leaf_page.h"

#include <algorithm>
#include <cstddef>

#include "catalog/leaf_format.h"

namespace lazyvol::catalog {
namespace {

using namespace leaf_format;

// Pieces cost nothing in a page whose columns are constant, so their number has a limit of its own.
constexpr std::uint64_t kMaxPagePieces = kMaxPageRows * std::uint64_t{kMaxPieces};

bool take_xattrs(base::ByteReader& in, std::vector<Xattr>* out) {
  const std::uint64_t count = in.number();
  if (count == 0 || count > kMaxXattrs) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view name = in.text(kMaxName), value = in.text(kMaxXattrBytes);
    if (in.failed()) return false;
    if (out != nullptr) out->push_back({std::string(name), std::string(value)});
  }
  return true;
}

}  // namespace

struct LeafPage::Class {
  std::uint8_t flags = 0;
  std::uint32_t mode = 0, uid = 0, gid = 0;
  bool valid = false;
  std::uint8_t content() const { return flags & kContentMask; }
  NodeType type() const { return static_cast<NodeType>(flags & kTypeMask); }
};

// The extra bytes of a row, taken apart.
struct LeafPage::Extra {
  std::string_view xattrs;   ///< as they are stored
  std::string_view payload;  ///< target, inline bytes, name of an object
  std::uint64_t map_frame = 0;
  std::uint64_t size = 0;  ///< of a file with a map or an object
};

Result<LeafPage> LeafPage::open(std::string_view page) {
  base::ByteReader in(page);
  LeafPage result;
  const PageHeader header = read_page_header(in);
  const std::size_t rows = header.rows;
  const auto count = [&](std::uint64_t limit) {
    const std::uint64_t number = in.number();
    if (number > limit) in.fail();
    return in.failed() ? std::size_t{0} : static_cast<std::size_t>(number);
  };
  const std::size_t directories = count(rows);
  result.directories_ = Column(in, directories);
  result.directory_begins_ = Column(in, directories);
  result.shared_ = Column(in, rows);
  result.suffixes_ = Texts(in, rows);
  result.ids_ = Column(in, rows);
  result.classes_ = Column(in, rows);
  result.nlinks_ = Column(in, rows);
  result.seconds_ = Column(in, rows);
  result.nanoseconds_ = Column(in, rows);
  result.extras_ = Texts(in, rows);
  const std::size_t classes = count(rows);
  result.class_flags_ = Column(in, classes);
  result.class_modes_ = Column(in, classes);
  result.class_uids_ = Column(in, classes);
  result.class_gids_ = Column(in, classes);
  const std::size_t pieces = count(kMaxPagePieces);
  result.piece_counts_ = Column(in, rows);
  result.piece_begins_ = Column(in, restarts(rows));
  result.piece_frames_ = Column(in, pieces);
  result.piece_gaps_ = Column(in, pieces);
  result.piece_lengths_ = Column(in, pieces);
  result.frames_ = FrameTable(in);
  if (in.failed() || !in.at_end() || header.tree != Tree::names || header.level != 0 ||
      (rows > 0 && (directories == 0 || result.directory_begins_.at(0) != 0))) {
    return damaged_page("leaf");
  }
  return result;
}

std::size_t LeafPage::run_begin(std::size_t run) const {
  if (run >= directories_.size()) return rows();
  return static_cast<std::size_t>(std::min<std::uint64_t>(directory_begins_.number(run), rows()));
}

std::size_t LeafPage::directory_run(std::size_t row) const {
  std::size_t low = 1, high = directories_.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (run_begin(middle) <= row) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low - 1;
}

NodeId LeafPage::directory(std::size_t row) const {
  return directories_.number(directory_run(row));
}

Result<LeafPage::Sought> LeafPage::seek(NodeId directory, std::string_view name) const {
  std::size_t low = 0, high = directories_.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (directories_.number(middle) < directory) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const std::size_t begin = run_begin(low);
  if (low == directories_.size() || directories_.number(low) != directory) {
    return Sought{begin, false};
  }
  const std::size_t end = std::max(begin, run_begin(low + 1));
  // The last restart in the run whose name is smaller; what is sought comes after it.
  std::size_t first = begin / kRestart + 1, last = restarts(end);
  while (first < last) {
    const std::size_t middle = (first + last) / 2;
    const auto full = suffixes_.at(middle * kRestart);
    if (!full) return damaged_page("name");
    if (*full < name) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  LeafWalk walk(*this, std::max(begin, (first - 1) * kRestart));
  while (walk.next() && walk.row() < end) {
    const int order = walk.name().compare(name);
    if (order >= 0) return Sought{walk.row(), order == 0};
  }
  LAZYVOL_TRY(walk.status());
  return Sought{end, false};
}

Result<std::size_t> LeafPage::lower_bound(NodeId directory, std::string_view name) const {
  LAZYVOL_TRY_ASSIGN(const Sought sought, seek(directory, name));
  return sought.row;
}

Result<std::optional<std::size_t>> LeafPage::find(NodeId directory, std::string_view name) const {
  LAZYVOL_TRY_ASSIGN(const Sought sought, seek(directory, name));
  return sought.exact ? std::optional(sought.row) : std::nullopt;
}

Result<std::optional<std::size_t>> LeafPage::find_id(NodeId id) const {
  for (std::size_t row = 0; row < rows(); ++row) {
    if (ids_.number(row) == id && (class_of(row).flags & kAlias) == 0) return std::optional(row);
  }
  return std::optional<std::size_t>();
}

Result<Place> LeafPage::place(std::size_t row) const {
  LeafWalk walk(*this, row);
  if (row >= rows() || !walk.next()) return damaged_page("name");
  return Place{walk.directory(), std::string(walk.name())};
}

LeafPage::Class LeafPage::class_of(std::size_t row) const {
  const std::uint64_t number = classes_.number(row);
  if (number >= class_flags_.size()) return {};
  const std::uint64_t flags = class_flags_.number(number), mode = class_modes_.number(number);
  const std::uint64_t uid = class_uids_.number(number), gid = class_gids_.number(number);
  const bool one_content =
      (flags & kObjectContent) == 0 || (flags & kContentMask) == kObjectContent;
  if (flags > kAllFlags || (flags & kTypeMask) == 0 || !one_content || mode > 07777 ||
      uid > UINT32_MAX || gid > UINT32_MAX) {
    return {};
  }
  return {static_cast<std::uint8_t>(flags), static_cast<std::uint32_t>(mode),
          static_cast<std::uint32_t>(uid), static_cast<std::uint32_t>(gid), true};
}

Result<LeafPage::Extra> LeafPage::extra(std::size_t row, const Class& kind) const {
  const auto bytes = extras_.at(row);
  if (!bytes) return damaged_page("extra");
  base::ByteReader in(*bytes);
  Extra result;
  if ((kind.flags & kXattrs) != 0) {
    if (!take_xattrs(in, nullptr)) return damaged_page("extended attributes");
    result.xattrs = bytes->substr(0, bytes->size() - in.left());
  }
  if (kind.content() == kMapContent) {
    result.map_frame = in.number();
    result.size = in.number();
  } else {
    // kUnknownSize is the number before 0.
    if (kind.content() == kObjectContent) result.size = in.number() - 1;
    result.payload = in.rest();
  }
  if (in.failed() || !in.at_end()) return damaged_page("extra");
  return result;
}

Result<std::vector<Piece>> LeafPage::pieces(std::size_t row) const {
  const std::size_t restart = row / kRestart * kRestart;
  std::uint64_t begin = piece_begins_.number(row / kRestart);
  std::uint64_t frame = 0, end = 0;
  std::vector<Piece> result;
  for (std::size_t at = restart; at <= row; ++at) {
    const std::uint64_t count = piece_counts_.number(at);
    if (count > kMaxPieces || begin > piece_lengths_.size() ||
        count > piece_lengths_.size() - begin) {
      return damaged_page("pieces");
    }
    for (const std::uint64_t stop = begin + count; begin < stop; ++begin) {
      const std::uint64_t step = piece_frames_.number(begin);
      const std::uint64_t offset = (step == 0 ? end : 0) + piece_gaps_.number(begin);
      const std::uint64_t length = piece_lengths_.number(begin);
      frame += step;
      end = offset + length;
      if (at < row) continue;
      if (offset > kMaxFrameRaw || length > kMaxFrameRaw) return damaged_page("piece");
      LAZYVOL_TRY_ASSIGN(const FrameRef ref, frames_.at(frame));
      result.push_back(
          {ref, static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(length)});
    }
  }
  return result;
}

Result<std::uint64_t> LeafPage::size(std::size_t row, const Class& kind) const {
  if (kind.type() == NodeType::directory) return std::uint64_t{0};
  if (kind.content() != kPieceContent) {
    const bool stored = kind.content() == kMapContent || kind.content() == kObjectContent;
    if (!stored && (kind.flags & kXattrs) == 0) return extras_.length(row);
    LAZYVOL_TRY_ASSIGN(const Extra more, extra(row, kind));
    return stored ? more.size : more.payload.size();
  }
  std::uint64_t begin = piece_begins_.number(row / kRestart), sum = 0;
  for (std::size_t at = row / kRestart * kRestart; at < row; ++at) {
    begin += piece_counts_.number(at);
  }
  const std::uint64_t count = piece_counts_.number(row);
  if (count > kMaxPieces || begin > piece_lengths_.size() ||
      count > piece_lengths_.size() - begin) {
    return damaged_page("pieces");
  }
  for (std::uint64_t i = begin; i < begin + count; ++i) sum += piece_lengths_.number(i);
  return sum;
}

Result<Attributes> LeafPage::attributes(std::size_t row) const {
  if (row >= rows()) return damaged_page("row");
  const Class kind = class_of(row);
  const std::uint64_t nlink = nlinks_.number(row);
  const std::int64_t seconds = seconds_.at(row), rest = nanoseconds_.at(row);
  std::int64_t mtime = 0;
  if (!kind.valid || nlink > UINT32_MAX || rest < 0 || rest >= kSecond ||
      __builtin_mul_overflow(seconds, kSecond, &mtime) ||
      __builtin_add_overflow(mtime, rest, &mtime)) {
    return damaged_page("attributes");
  }
  LAZYVOL_TRY_ASSIGN(const std::uint64_t size, this->size(row, kind));
  return Attributes{.id = ids_.number(row),
                    .type = kind.type(),
                    .mode = kind.mode,
                    .uid = kind.uid,
                    .gid = kind.gid,
                    .nlink = static_cast<std::uint32_t>(nlink),
                    .size = size,
                    .mtime_ns = mtime};
}

Result<Entry> LeafPage::fields(std::size_t row) const {
  LAZYVOL_TRY_ASSIGN(const Attributes shown, attributes(row));
  const Class kind = class_of(row);
  LAZYVOL_TRY_ASSIGN(const Extra more, extra(row, kind));
  Entry entry;
  entry.id = shown.id;
  entry.alias = (kind.flags & kAlias) != 0;
  entry.type = shown.type;
  entry.mode = shown.mode;
  entry.uid = shown.uid;
  entry.gid = shown.gid;
  entry.nlink = shown.nlink;
  entry.size = shown.size;
  entry.mtime_ns = shown.mtime_ns;
  base::ByteReader xattrs(more.xattrs);
  if (!more.xattrs.empty()) take_xattrs(xattrs, &entry.xattrs);
  switch (kind.content()) {
    case kInlineContent:
      entry.content = InlineContent{std::string(more.payload)};
      break;
    case kPieceContent: {
      PieceContent list;
      LAZYVOL_TRY_ASSIGN(list.pieces, pieces(row));
      entry.content = std::move(list);
      if (!more.payload.empty()) return damaged_page("extra");
      break;
    }
    case kMapContent: {
      LAZYVOL_TRY_ASSIGN(const FrameRef map, frames_.at(more.map_frame));
      entry.content = MapContent{map};
      break;
    }
    case kObjectContent:
      entry.content = ObjectContent{std::string(more.payload)};
      break;
    default:
      entry.symlink_target = more.payload;
  }
  return entry;
}

Result<Entry> LeafPage::entry(std::size_t row) const {
  LAZYVOL_TRY_ASSIGN(Place where, place(row));
  LAZYVOL_TRY_ASSIGN(Entry entry, fields(row));
  entry.directory = where.directory;
  entry.name = std::move(where.name);
  if (auto checked = check_entry(entry); !checked.ok()) {
    return damaged_page(checked.error().message);
  }
  return entry;
}

Result<std::vector<Entry>> LeafPage::entries() const {
  std::vector<Entry> result;
  LeafWalk walk(*this, 0);
  while (walk.next()) {
    LAZYVOL_TRY_ASSIGN(Entry entry, fields(walk.row()));
    entry.directory = walk.directory();
    entry.name = walk.name();
    if (auto checked = check_entry(entry); !checked.ok()) {
      return damaged_page(checked.error().message);
    }
    if (!result.empty() &&
        (entry.directory < result.back().directory ||
         (entry.directory == result.back().directory && entry.name <= result.back().name))) {
      return damaged_page("order");
    }
    result.push_back(std::move(entry));
  }
  LAZYVOL_TRY(walk.status());
  return result;
}

Status LeafPage::validate() const {
  for (std::size_t run = 1; run < directories_.size(); ++run) {
    if (run_begin(run) <= run_begin(run - 1) || run_begin(run) >= rows() ||
        directories_.number(run) <= directories_.number(run - 1)) {
      return damaged_page("directories");
    }
  }
  for (std::size_t row = 0; row < rows(); row += kRestart) {
    if (shared_.at(row) != 0) return damaged_page("restart");
  }
  return entries().ok() ? Status() : Status(damaged_page("entries"));
}

LeafWalk::LeafWalk(const LeafPage& page, std::size_t row)
    : page_(&page), next_(std::min(row, page.rows())), suffixes_(page.suffixes_, 0) {
  if (next_ == page.rows()) return;
  run_ = page.directory_run(next_);
  run_end_ = page.run_begin(run_ + 1);
  directory_ = page.directories_.number(run_);
  const std::size_t target = next_;
  // Names are whole at a restart and where a directory begins.
  next_ = std::max(target / kRestart * kRestart, std::min(page.run_begin(run_), target));
  suffixes_ = Texts::Cursor(page.suffixes_, next_);
  while (next_ < target && step()) {
  }
}

bool LeafWalk::step() {
  const std::size_t row = next_;
  const bool enters = row == run_end_ && row > 0;
  if (enters) {
    ++run_;
    run_end_ = page_->run_begin(run_ + 1);
    directory_ = page_->directories_.number(run_);
  }
  const std::uint64_t shared = page_->shared_.number(row);
  const auto suffix = suffixes_.next();
  if (row % kRestart == 0 || enters) length_ = 0;
  if (!suffix || shared > length_ || shared + suffix->size() > kMaxName) {
    damaged_ = true;
    return false;
  }
  std::copy(suffix->begin(), suffix->end(), name_.begin() + static_cast<std::ptrdiff_t>(shared));
  length_ = shared + suffix->size();
  row_ = row;
  ++next_;
  return true;
}

bool LeafWalk::next() {
  return !damaged_ && next_ < page_->rows() && step();
}

Status LeafWalk::status() const {
  if (damaged_) return damaged_page("name");
  return {};
}

}  // namespace lazyvol::catalog
