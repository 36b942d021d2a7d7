#include <algorithm>
#include <map>
#include <tuple>

#include "catalog/leaf_format.h"
#include "catalog/leaf_page.h"

namespace lazyvol::catalog {
namespace {

using namespace leaf_format;
using Numbers = std::vector<std::int64_t>;

std::uint8_t flags_of(const Entry& entry) {
  constexpr std::uint8_t kContents[] = {kNoContent, kInlineContent, kPieceContent, kMapContent,
                                        kObjectContent};
  return static_cast<std::uint8_t>(static_cast<std::uint8_t>(entry.type) |
                                   kContents[entry.content.index()] | (entry.alias ? kAlias : 0) |
                                   (entry.xattrs.empty() ? 0 : kXattrs));
}

// Each member is a section or a part of one; write() has their order.
class LeafEncoder {
 public:
  void add(const Entry& entry) {
    add_place(entry);
    add_class(entry);
    ids_.push_back(static_cast<std::int64_t>(entry.id));
    nlinks_.push_back(entry.nlink);
    // Whole seconds are common, so the part below them gets a column, which is then empty.
    std::int64_t seconds = entry.mtime_ns / kSecond, rest = entry.mtime_ns % kSecond;
    if (rest < 0) {
      rest += kSecond;
      --seconds;
    }
    seconds_.push_back(seconds);
    nanoseconds_.push_back(rest);
    add_pieces(entry);
    add_extra(entry);
    ++rows_;
  }

  std::string write() const {
    base::ByteWriter out;
    write_page_header(out, {Tree::names, 0, rows_});
    out.number(directories_.size());
    write_column(out, directories_);
    write_column(out, directory_begins_);
    write_column(out, shared_);
    suffixes_.write(out);
    write_column(out, ids_, Slope::rising);
    for (const Numbers* column : {&classes_, &nlinks_, &seconds_, &nanoseconds_}) {
      write_column(out, *column);
    }
    extras_.write(out);
    out.number(class_numbers_.size());
    for (const Numbers& column : class_columns_) write_column(out, column);
    out.number(piece_frames_.size());
    for (const Numbers* column :
         {&piece_counts_, &piece_begins_, &piece_frames_, &piece_gaps_, &piece_lengths_}) {
      write_column(out, *column);
    }
    frames_.write(out);
    return out.take();
  }

 private:
  bool at_restart() const { return rows_ % kRestart == 0; }

  void add_place(const Entry& entry) {
    const auto directory = static_cast<std::int64_t>(entry.directory);
    if (directories_.empty() || directories_.back() != directory) {
      directories_.push_back(directory);
      directory_begins_.push_back(static_cast<std::int64_t>(rows_));
      last_name_ = {};
    }
    if (at_restart()) last_name_ = {};
    const std::string_view name = entry.name;
    const auto same = static_cast<std::size_t>(
        std::mismatch(name.begin(), name.end(), last_name_.begin(), last_name_.end()).first -
        name.begin());
    shared_.push_back(static_cast<std::int64_t>(same));
    suffixes_.add(name.substr(same));
    last_name_ = name;
  }

  void add_class(const Entry& entry) {
    const std::tuple kind(flags_of(entry), entry.mode, entry.uid, entry.gid);
    const auto [at, fresh] = class_numbers_.try_emplace(kind, class_numbers_.size());
    classes_.push_back(at->second);
    if (!fresh) return;
    class_columns_[0].push_back(std::get<0>(kind));
    class_columns_[1].push_back(entry.mode);
    class_columns_[2].push_back(entry.uid);
    class_columns_[3].push_back(entry.gid);
  }

  void add_pieces(const Entry& entry) {
    if (at_restart()) {
      piece_begins_.push_back(static_cast<std::int64_t>(piece_frames_.size()));
      frame_ = 0;
      piece_end_ = 0;
    }
    const auto* list = std::get_if<PieceContent>(&entry.content);
    piece_counts_.push_back(list == nullptr ? 0 : static_cast<std::int64_t>(list->pieces.size()));
    if (list == nullptr) return;
    for (const Piece& piece : list->pieces) {
      const std::int64_t frame = frames_.add(piece.frame);
      const std::int64_t expected = frame == frame_ ? piece_end_ : 0;
      piece_frames_.push_back(frame - frame_);
      piece_gaps_.push_back(std::int64_t{piece.offset} - expected);
      piece_lengths_.push_back(piece.length);
      frame_ = frame;
      piece_end_ = std::int64_t{piece.offset} + piece.length;
    }
  }

  void add_extra(const Entry& entry) {
    base::ByteWriter out;
    if (!entry.xattrs.empty()) {
      out.number(entry.xattrs.size());
      for (const Xattr& xattr : entry.xattrs) {
        out.text(xattr.name);
        out.text(xattr.value);
      }
    }
    if (const auto* bytes = std::get_if<InlineContent>(&entry.content)) {
      out.raw(bytes->bytes);
    } else if (const auto* map = std::get_if<MapContent>(&entry.content)) {
      out.number(frames_.add(map->map));
      out.number(entry.size);
    } else if (const auto* object = std::get_if<ObjectContent>(&entry.content)) {
      out.number(entry.size == kUnknownSize ? 0 : entry.size + 1);
      out.raw(object->name);
    } else {
      out.raw(entry.symlink_target);
    }
    extras_.add(out.view());
  }

  std::size_t rows_ = 0;
  std::string_view last_name_;
  std::int64_t frame_ = 0, piece_end_ = 0;
  Numbers directories_, directory_begins_, shared_, ids_, classes_, nlinks_, seconds_, nanoseconds_;
  TextsWriter suffixes_, extras_;
  std::map<std::tuple<std::uint8_t, std::uint32_t, std::uint32_t, std::uint32_t>, std::int64_t>
      class_numbers_;
  std::array<Numbers, 4> class_columns_;
  Numbers piece_counts_, piece_begins_, piece_frames_, piece_gaps_, piece_lengths_;
  FrameTableWriter frames_;
};

}  // namespace

std::string encode_leaf_page(std::span<const Entry> entries) {
  LeafEncoder encoder;
  for (const Entry& entry : entries) encoder.add(entry);
  return encoder.write();
}

}  // namespace lazyvol::catalog
