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
  EXPECT_EQ(to_hex(encode_leaf_page(vector_entries())),
            "0100030201020001010000020100000300010600010200000c646f632e74787468656c6c6f1004010000"
            "010201020100000080c49fd50c0000010000000300000368690a03010400070301c80649000000000000"
            "01010000010000000000000000b81701aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaa010000002000d00f008040bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
            "bbbbbbbbbbbbbb");
}

TEST(Vectors, Interior) {
  EXPECT_EQ(to_hex(encode_interior_page(
                Tree::names, 1, std::vector<Child>{{name_key(1, "doc.txt"), vector_frame()}})),

            "0101010000001e00000f0000000000000001646f632e74787401aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa010000002000d00f008040bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
            "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
}

TEST(Vectors, Ids) {
  EXPECT_EQ(to_hex(encode_ids_page(id_runs(vector_entries()))),
            "020001000800060004000a00000568656c6c6f");
}

TEST(Vectors, FileMap) {
  EXPECT_EQ(to_hex(*encode_file_map(
                0, std::vector<Extent>{{Extent::Kind::piece, 4'096, vector_frame(), 0},
                                       {Extent::Kind::hole, 65'536, {}, 0}})),

            "4d0080a00402000001000100028040000000f01000000001aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaa010000002000d00f008040bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
            "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
}

TEST(Vectors, Pack) {
  PackBuilder builder(PackKind::metadata);
  std::string bytes = builder.begin();
  const auto frame = encode_frame("hi\n", 3);
  EXPECT_EQ(*builder.add(*frame), 16);
  bytes += frame->bytes;
  bytes += builder.finish();
  EXPECT_EQ(to_hex(bytes),
            "4c5a565041434b01020000000000000068690a030000000300000098ea6e4f216f2fb4b69fff9b3a4484"
            "2c38686ca685f3f55dc48c5d3fb1107be47d079b5fe952a37af07212def8bad21eeb4618b55c5edb7ab5"
            "be1536344387e11300000001000000020000000000000000000000000000004c5a5650454e4401");
  EXPECT_EQ(builder.name().hex(),
            "cfb875ca3564c7c1a64e38a8d51182c172d96dd76f3655d357fdfa28e973efd2");
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
  EXPECT_EQ(key.public_key().text(),
            "ed25519:8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c");
  EXPECT_EQ(to_hex(*encode_head(head, &key)),
            "6c617a79766f6c2d686561640a0100000011111111111111111111111111111111010000000000000000"
            "0000000000000000000000000000000000000000000000008080d0e2c6bfce972f00020f0e8080080000"
            "0000003c1528b52ffd203c6500002001001000020000131f000b0e0e0200000000000000000000000000"
            "018a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5cbaabeb781a68bfef41"
            "245808b6f49aef5486e9a1add0f12e9a1545cca908de1356d196fbc38bc90f4da245f46355bbe024a186"
            "e9eccafa4c0ed1e9c9bd087203");
  EXPECT_EQ(to_hex(*encode_head(head, nullptr)),
            "6c617a79766f6c2d686561640a0100000011111111111111111111111111111111010000000000000000"
            "0000000000000000000000000000000000000000000000008080d0e2c6bfce972f00020f0e8080080000"
            "0000003c1528b52ffd203c6500002001001000020000131f000b0e0e0200000000000000000000000000"
            "00fbc6a3fe4178bf8ac641d8cab424bef4f270780d0e067b33156e6cd5ba3b8349");
}

TEST(Vectors, Boundaries) {
  const std::string key = name_key(1, "doc.txt");
  EXPECT_EQ(XXH3_64bits_withSeed(key.data(), key.size(), 0x100), 1635945196840758238U);
  Splitter splitter(Tree::names, 0, {});
  std::vector<int> ends;
  for (int i = 0; i < 3'000; ++i) {
    const std::string next = name_key(1, "file" + std::to_string(i));
    if (splitter.ends_with(next, 40)) ends.push_back(i);
  }
  EXPECT_EQ(ends, (std::vector<int>{574, 1216, 1884, 2867}));
}

TEST(Vectors, ContentKey) {
  EXPECT_EQ(content_key(vector_entries()[1].content).hex(), "f9f185ad56ac9b634beb3b3b9300a3a7");
}

}  // namespace
}  // namespace lazyvol::catalog
