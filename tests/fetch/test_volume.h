// Published files for tests: contents cut into chunks, bundled into frames, packed; with their
// maps.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "catalog/entry.h"
#include "catalog/file_map.h"
#include "packs.h"

namespace lazyvol::fetch::testing {

/// Add files, then build() once.
class TestVolume {
 public:
  /// Frames hold at least `bundle` bytes, when there are as many.
  explicit TestVolume(std::size_t bundle = 128 * 1024) : bundle_(bundle) {}

  /// A file of chunks of `chunk` bytes. Where `sparse`, chunks of zeros are holes. Answers with its
  /// number.
  std::size_t add(std::string name, std::string bytes, std::size_t chunk, bool sparse = false) {
    return add_cut(
        std::move(name), std::move(bytes), [chunk] { return chunk; }, sparse);
  }
  /// The same with lengths of chunks from `next`.
  std::size_t add_cut(std::string name, std::string bytes, const std::function<std::size_t()>& next,
                      bool sparse = false) {
    File file;
    file.entry.name = std::move(name);
    file.entry.directory = 1;
    file.entry.id = 2 + files_.size();
    file.entry.mode = 0644;
    file.entry.size = bytes.size();
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t length = std::min(next(), bytes.size() - at);
      const bool hole = sparse && bytes.find_first_not_of('\0', at) >= at + length;
      file.chunks.push_back(hole ? Chunk{.length = length, .frame = kNone, .offset = 0}
                                 : place(bytes.substr(at, length)));
      at += length;
    }
    contents.push_back(std::move(bytes));
    files_.push_back(std::move(file));
    return files_.size() - 1;
  }

  /// Makes `packs` and `entries`.
  void build() {
    if (!frames_.empty()) packs.push_back(make_pack(frames_));
    PackedPages pages;
    for (File& file : files_) {
      if (file.entry.size > 0) file.entry.content = content_of(file, pages);
      entries.push_back(file.entry);
    }
    for (Pack& pack : pages.packs) packs.push_back(std::move(pack));
  }

  std::vector<std::string> contents;
  std::vector<catalog::Entry> entries;
  std::vector<Pack> packs;  ///< data first, if there is any; then maps

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};
  struct Chunk {
    std::size_t length = 0, frame = 0, offset = 0;
  };
  struct File {
    catalog::Entry entry;
    std::vector<Chunk> chunks;
  };

  Chunk place(const std::string& bytes) {
    const bool full = frames_.empty() || frames_.back().size() >= bundle_ ||
                      frames_.back().size() + bytes.size() > catalog::kMaxFrameRaw;
    if (full) frames_.emplace_back();
    const Chunk chunk{bytes.size(), frames_.size() - 1, frames_.back().size()};
    frames_.back() += bytes;
    return chunk;
  }

  catalog::Content content_of(const File& file, PackedPages& pages) const {
    std::vector<catalog::Extent> extents;
    bool holes = false;
    for (const Chunk& chunk : file.chunks) {
      catalog::Extent extent{
          .kind = catalog::Extent::Kind::hole, .length = chunk.length, .frame = {}, .offset = 0};
      if (chunk.frame != kNone) {
        extent.kind = catalog::Extent::Kind::piece;
        extent.frame = packs[0].frames[chunk.frame];
        extent.offset = static_cast<std::uint32_t>(chunk.offset);
      }
      holes = holes || chunk.frame == kNone;
      extents.push_back(extent);
    }
    if (holes || extents.size() > catalog::kMaxPieces) {
      return catalog::MapContent{*catalog::write_file_maps(pages, std::move(extents))};
    }
    catalog::PieceContent list;
    for (const auto& extent : extents) {
      list.pieces.push_back(
          {extent.frame, extent.offset, static_cast<std::uint32_t>(extent.length)});
    }
    return list;
  }

  const std::size_t bundle_;
  std::vector<std::string> frames_;
  std::vector<File> files_;
};

/// A small file in its entry.
inline catalog::Entry inline_entry(const std::string& bytes) {
  catalog::Entry entry;
  entry.name = "tiny";
  entry.directory = 1;
  entry.id = 2;
  entry.size = bytes.size();
  if (!bytes.empty()) entry.content = catalog::InlineContent{bytes};
  return entry;
}

}  // namespace lazyvol::fetch::testing
