#include "catalog/entry.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "catalog/key.h"
#include "samples.h"

namespace lazyvol::catalog {
namespace {

using namespace std::string_literals;

TEST(CheckEntry, TakesOneOfEachKind) {
  for (const Entry& entry : sample_kinds()) {
    const auto checked = check_entry(entry);
    EXPECT_TRUE(checked.ok()) << entry.name << ": " << checked.error().message;
  }
}

TEST(CheckEntry, RefusesWhatNoReaderWouldTake) {
  const auto kinds = sample_kinds();
  const Entry &directory = kinds[0], &inlined = kinds[2], &link = kinds[3], &pieces = kinds[4],
              &mapped = kinds[6];
  const struct {
    const Entry& base;
    std::function<void(Entry&)> harm;
  } rows[] = {
      {pieces, [](Entry& e) { e.name = ""; }},
      {pieces, [](Entry& e) { e.name = ".."; }},
      {pieces, [](Entry& e) { e.name = "a/b"; }},
      {pieces, [](Entry& e) { e.name = "a\0b"s; }},
      {pieces, [](Entry& e) { e.name = std::string(256, 'n'); }},
      {pieces, [](Entry& e) { e.directory = 0; }},
      {pieces, [](Entry& e) { e.directory = UINT64_MAX; }},
      {pieces, [](Entry& e) { e.id = 0; }},
      {pieces, [](Entry& e) { e.id = kRootNode; }},
      {pieces, [](Entry& e) { e.id = UINT64_MAX; }},
      {pieces, [](Entry& e) { e.mode = 010000; }},
      {pieces, [](Entry& e) { e.type = static_cast<NodeType>(0); }},
      {pieces, [](Entry& e) { ++e.size; }},
      {pieces, [](Entry& e) { e.content = PieceContent{}; }},
      {pieces, [](Entry& e) { e.content = {}; }},
      {pieces, [](Entry& e) { e.symlink_target = "x"; }},
      {pieces, [](Entry& e) { std::get<PieceContent>(e.content).pieces[2].offset = 131'072; }},
      {pieces, [](Entry& e) { std::get<PieceContent>(e.content).pieces[0].frame.raw = 0; }},
      {pieces,
       [](Entry& e) {
         std::get<PieceContent>(e.content).pieces.assign(kMaxPieces + 1,
                                                         Piece{sample_frame(0), 0, 1});
         e.size = kMaxPieces + 1;
       }},
      {pieces,
       [](Entry& e) {
         e.xattrs = {{"b", ""}, {"a", ""}};
       }},
      {pieces,
       [](Entry& e) {
         e.xattrs = {{"a", ""}, {"a", ""}};
       }},
      {pieces,
       [](Entry& e) {
         e.xattrs = {{"", ""}};
       }},
      {pieces,
       [](Entry& e) {
         e.xattrs = {{"a", std::string(kMaxXattrBytes, 'v')}};
       }},
      {inlined, [](Entry& e) { ++e.size; }},
      {inlined,
       [](Entry& e) {
         e.content = InlineContent{std::string(kMaxInline + 1, 'i')};
         e.size = kMaxInline + 1;
       }},
      {inlined, [](Entry& e) { e.content = InlineContent{}, e.size = 0; }},
      {directory, [](Entry& e) { e.size = 4096; }},
      {directory, [](Entry& e) { e.alias = true; }},
      {link, [](Entry& e) { e.symlink_target = "", e.size = 0; }},
      {link, [](Entry& e) { e.symlink_target = "a\0b"s, e.size = 3; }},
      {link, [](Entry& e) { e.symlink_target.assign(4096, 't'), e.size = 4096; }},
      {link, [](Entry& e) { e.size = 1; }},
      {mapped, [](Entry& e) { e.size = 0; }},
      {mapped, [](Entry& e) { std::get<MapContent>(e.content).map.stored = 0; }},
      {mapped, [](Entry& e) { e.content = ObjectContent{""}; }},
      {mapped, [](Entry& e) { e.content = ObjectContent{std::string(kMaxObjectName + 1, 'a')}; }},
      {mapped, [](Entry& e) { e.content = ObjectContent{".."}; }},
      {mapped, [](Entry& e) { e.content = ObjectContent{"a/b"}; }},
      {mapped, [](Entry& e) { e.content = ObjectContent{"a"}, e.size = kUnknownSize - 1; }},
      {pieces, [](Entry& e) { e.size = kUnknownSize; }},
  };
  std::size_t number = 0;
  for (const auto& row : rows) {
    Entry entry = row.base;
    row.harm(entry);
    EXPECT_FALSE(check_entry(entry).ok()) << "row " << number;
    ++number;
  }
}

TEST(ContentKey, TellsContentsApartAndNotPlaces) {
  std::set<model::ContentKey> keys;
  std::size_t contents = 0;
  for (const Entry& entry : sample_kinds()) {
    if (entry.alias || std::holds_alternative<std::monostate>(entry.content)) continue;
    keys.insert(content_key(entry));
    ++contents;
  }
  EXPECT_EQ(keys.size(), contents);
  const auto key_of = [](const Content& content, std::uint64_t size) {
    Entry file = sample_file(1, "f", 2, 0);
    file.content = content;
    file.size = size;
    return content_key(file);
  };
  Piece piece{sample_frame(3), 5, 6};
  const auto here = key_of(PieceContent{{piece}}, 6);
  piece.frame.pack = sha256("elsewhere");
  piece.frame.offset += 1'000;
  EXPECT_EQ(key_of(PieceContent{{piece}}, 6), here);
  Piece longer = piece, other = piece;
  longer.length = 7;
  EXPECT_NE(key_of(PieceContent{{longer}}, 7), here);
  // The same stored bytes, said not to be compressed: other bytes of the file.
  other.frame.raw = other.frame.stored;
  EXPECT_NE(key_of(PieceContent{{other}}, 6), here);
  const FrameRef map = sample_frame(4);
  FrameRef other_map = map;
  other_map.raw = map.stored;
  EXPECT_NE(key_of(MapContent{map}, 1'000), key_of(MapContent{map}, 1'001));
  EXPECT_NE(key_of(MapContent{map}, 1'000), key_of(MapContent{other_map}, 1'000));
  EXPECT_EQ(here.hex(), "c705e8a24e7211a08636c317e8018f61");
}

TEST(Key, OrdersAsTheTreeDoes) {
  const std::string keys[] = {name_key(1, ""),   name_key(1, "a"),    name_key(1, "a\x01"),
                              name_key(1, "b"),  name_key(1, "\xff"), name_key(2, ""),
                              name_key(255, ""), name_key(256, "a"),  name_key(1ULL << 40, "a"),
                              id_key(1ULL << 62)};
  for (std::size_t i = 1; i < std::size(keys); ++i) {
    EXPECT_LT(keys[i - 1], keys[i]) << i;
    EXPECT_LE(key_after(keys[i - 1]), keys[i]) << i;
  }
  EXPECT_EQ(*parse_name_key(name_key(77, "x y")), (Place{77, "x y"}));
  for (const std::string& bad : {""s, "1234567"s, name_key(1, ""), name_key(0, "a"),
                                 name_key(1, ".."), name_key(1, "a/b")}) {
    EXPECT_EQ(parse_name_key(bad).error().code, Code::corrupt);
  }
}

}  // namespace
}  // namespace lazyvol::catalog
