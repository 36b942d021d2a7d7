// The bytes that docs/format.md shows. A change here is another format.
#include <gtest/gtest.h>
#include <xxhash.h>

#include "catalog/file_map.h"
#include "catalog/head.h"
#include "catalog/pack.h"
#include "samples.h"

namespace lazyvol::catalog {
namespace {

FrameRef vector_frame() {
  FrameRef frame;
  frame.pack.bytes.fill(0xaa);
  frame.offset = 16;
  frame.stored = 1'000;
  frame.raw = 4'096;
  frame.hash.bytes.fill(0xbb);
  return frame;
}

std::vector<Entry> vector_entries() {
  Entry directory = sample_directory(1, "doc", 2);
  directory.mtime_ns = 1'700'000'000'000'000'000;
  Entry file = sample_file(1, "doc.txt", 3, 0);
  file.content = PieceContent{{Piece{vector_frame(), 0, 1'500}}};
  file.size = 1'500;
  Entry inlined = sample_file(2, "hello", 4, 0);
  inlined.content = InlineContent{"hi\n"};
  inlined.size = 3;
  return {directory, file, inlined};
}

TEST(Vectors, Leaf) {
  EXPECT_EQ(to_hex(encode_leaf_page(vector_entries())), "?");
}

TEST(Vectors, Interior) {
  EXPECT_EQ(to_hex(encode_interior_page(
                Tree::names, 1, std::vector<Child>{{name_key(1, "doc.txt"), vector_frame()}})),
            "?");
}

TEST(Vectors, Ids) {
  EXPECT_EQ(to_hex(encode_ids_page(id_runs(vector_entries()))), "?");
}

TEST(Vectors, FileMap) {
  EXPECT_EQ(to_hex(*encode_file_map(
                0, std::vector<Extent>{{Extent::Kind::piece, 4'096, vector_frame(), 0},
                                       {Extent::Kind::hole, 65'536, {}, 0}})),
            "?");
}

TEST(Vectors, Pack) {
  PackBuilder builder(PackKind::metadata);
  std::string bytes = builder.begin();
  const auto frame = encode_frame("hi\n", 3);
  EXPECT_EQ(*builder.add(*frame), 16);
  bytes += frame->bytes;
  bytes += builder.finish();
  EXPECT_EQ(to_hex(bytes), "?");
  EXPECT_EQ(builder.name().hex(), "?");
}

TEST(Vectors, Head) {
  std::array<std::uint8_t, 32> seed{};
  seed.fill(1);
  const SecretKey key = SecretKey::from_seed(seed);
  Head head;
  head.volume.fill(0x11);
  head.sequence = 1;
  head.created_ns = 1'700'000'000'000'000'000;
  head.roots = empty_roots();
  EXPECT_EQ(key.public_key().text(), "?");
  EXPECT_EQ(to_hex(*encode_head(head, &key)), "?");
  EXPECT_EQ(to_hex(*encode_head(head, nullptr)), "?");
}

TEST(Vectors, Boundaries) {
  const std::string key = name_key(1, "doc.txt");
  EXPECT_EQ(XXH3_64bits_withSeed(key.data(), key.size(), 0x100), 0U);
  Splitter splitter(Tree::names, 0, {});
  std::vector<int> ends;
  for (int i = 0; i < 3'000; ++i) {
    const std::string next = name_key(1, "file" + std::to_string(i));
    if (splitter.ends_with(next, 40)) ends.push_back(i);
  }
  EXPECT_EQ(ends, std::vector<int>());
}

TEST(Vectors, ContentKey) {
  EXPECT_EQ(content_key(vector_entries()[1].content).hex(), "?");
}

}  // namespace
}  // namespace lazyvol::catalog
