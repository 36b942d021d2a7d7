// Entries to test with.
#pragma once

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "catalog/entry.h"
#include "catalog/key.h"

namespace lazyvol::catalog {

inline FrameRef sample_frame(std::uint64_t number) {
  FrameRef frame;
  frame.pack = sha256("pack " + std::to_string(number / 40));
  frame.offset = static_cast<std::uint32_t>(16 + number % 40 * 50'000);
  frame.raw = 131'072;
  frame.stored = static_cast<std::uint32_t>(40'000 + number % 10'000);
  frame.hash = sha256("frame " + std::to_string(number));
  return frame;
}

inline Entry sample_file(NodeId directory, std::string name, NodeId id,
                         std::uint32_t length = 100) {
  Entry entry;
  entry.directory = directory;
  entry.name = std::move(name);
  entry.id = id;
  entry.mode = 0644;
  entry.size = length;
  entry.mtime_ns = 1'700'000'000'000'000'000;
  if (length > 0) {
    entry.content = PieceContent{{Piece{sample_frame(id / 8), 0, length}}};
  }
  return entry;
}

inline Entry sample_directory(NodeId directory, std::string name, NodeId id) {
  Entry entry;
  entry.directory = directory;
  entry.name = std::move(name);
  entry.id = id;
  entry.type = NodeType::directory;
  entry.mode = 0755;
  entry.nlink = 2;
  return entry;
}

/// One of each kind that there is, in order.
inline std::vector<Entry> sample_kinds() {
  std::vector<Entry> result;
  result.push_back(sample_directory(1, "bin", 2));
  Entry empty = sample_file(1, "empty", 3, 0);
  empty.mtime_ns = -1;
  result.push_back(empty);
  Entry tiny = sample_file(1, "etc", 4, 0);
  tiny.content = InlineContent{"hello\n"};
  tiny.size = 6;
  result.push_back(tiny);
  Entry link = sample_file(1, "link", 5, 0);
  link.type = NodeType::symlink;
  link.mode = 0777;
  link.symlink_target = "../usr/bin/env";
  link.size = link.symlink_target.size();
  link.xattrs = {{"security.ima", std::string("\x03\x00", 2)}, {"user.note", ""}};
  result.push_back(link);
  Entry pieces = sample_file(2, "cat", 6, 0);
  pieces.content =
      PieceContent{{Piece{sample_frame(0), 0, 1'000},
                    Piece{sample_frame(0), 1'000, 131'072 - 1'000}, Piece{sample_frame(1), 77, 9}}};
  pieces.size = 131'072 + 9;
  pieces.nlink = 2;
  pieces.mtime_ns = 1'700'000'000'123'456'789;
  pieces.xattrs = {{"user.a", "b"}};
  result.push_back(pieces);
  Entry alias = pieces;
  alias.name = "cat.alias";
  alias.alias = true;
  result.push_back(alias);
  Entry huge = sample_file(7, "disk.img", 8, 0);
  huge.content = MapContent{sample_frame(41)};
  huge.size = std::uint64_t{1} << 40;
  huge.uid = 4'294'967'295U;
  huge.mode = 07777;
  result.push_back(huge);
  Entry object = sample_file(7, "main.c", 9, 0);
  object.content = ObjectContent{"0-e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"};
  object.size = 12'345;
  object.xattrs = {{"user.b", "c"}};
  result.push_back(object);
  Entry unmeasured = sample_file(7, "main.h", 10, 0);
  unmeasured.content = ObjectContent{"x"};
  unmeasured.size = kUnknownSize;
  result.push_back(unmeasured);
  return result;
}

/// A tree as a map, to compare with.
using Model = std::map<std::string, Entry>;

/// Random names and entries, of all kinds. Few names and directories, so that they meet again.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }

  Entry entry(std::uint64_t directories, std::uint64_t names) {
    const NodeId directory = 1 + below(directories);
    const std::uint64_t number = below(names);
    std::string name = "file-" + std::to_string(number);
    if (number % 7 == 0) name += std::string(number % 60, 'x');
    Entry entry = sample_file(directory, name, next_id_++, 0);
    switch (below(9)) {
      case 0:
        entry.type = NodeType::directory;
        break;
      case 1:
        entry.type = NodeType::symlink;
        entry.symlink_target = "target" + std::to_string(below(50));
        entry.size = entry.symlink_target.size();
        break;
      case 2:
        entry.content = InlineContent{std::string(1 + below(kMaxInline), 'i')};
        entry.size = std::get<InlineContent>(entry.content).bytes.size();
        break;
      case 3:
        entry.content = ObjectContent{"object-" + std::to_string(below(1'000))};
        entry.size = below(3) == 0 ? kUnknownSize : below(100'000);
        break;
      default: {
        PieceContent list;
        for (std::uint64_t n = 1 + below(below(10) == 0 ? kMaxPieces : 2); n > 0; --n) {
          const auto length = static_cast<std::uint32_t>(1 + below(60'000));
          list.pieces.push_back(
              {sample_frame(below(300)), static_cast<std::uint32_t>(below(70'000)), length});
          entry.size += length;
        }
        entry.content = std::move(list);
      }
    }
    entry.mtime_ns += static_cast<std::int64_t>(below(1'000)) * 1'000'000'000;
    if (below(20) == 0) entry.xattrs = {{"user.x", std::string(below(300), 'v')}};
    return entry;
  }

 private:
  std::mt19937_64 engine_;
  NodeId next_id_ = 2;
};

}  // namespace lazyvol::catalog
