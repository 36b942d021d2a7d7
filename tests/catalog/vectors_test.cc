// The bytes that docs/format.md shows. A change here is another format.
#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "catalog/file_map.h"
#include "catalog/head.h"
#include "catalog/pack.h"
#include "samples.h"

namespace lazyvol::catalog {
namespace {

// `made` is `vector`, and the document shows it.
void expect_vector(const std::string& made, std::string_view vector) {
  EXPECT_EQ(made, vector);
  std::ifstream in(LAZYVOL_FORMAT_DOCUMENT);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  text.erase(std::remove(text.begin(), text.end(), '\n'), text.end());
  EXPECT_NE(text.find(vector), std::string::npos) << "docs/format.md does not show it";
}

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

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
  expect_vector(
      to_hex(encode_leaf_page(vector_entries())),
      "0100030201020001010000020100000300010600010200000c646f632e74787468656c6c6f1004010000"
      "010201020100000080c49fd50c0000010000000300000368690a03010400070301c80649000000000000"
      "01010000010000000000000000b81701aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaa010000002000d00f008040bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
      "bbbbbbbbbbbbbb");
}

TEST(Vectors, Interior) {
  expect_vector(
      to_hex(encode_interior_page(Tree::names, 1,
                                  std::vector<Child>{{name_key(1, "doc.txt"), vector_frame()}})),

      "0101010000001e00000f0000000000000001646f632e74787401aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa010000002000d00f008040bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
      "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
}

TEST(Vectors, Ids) {
  expect_vector(to_hex(encode_ids_page(id_runs(vector_entries()))),
                "020001000800060004000a00000568656c6c6f");
}

TEST(Vectors, FileMap) {
  expect_vector(
      to_hex(
          *encode_file_map(0, std::vector<Extent>{{Extent::Kind::piece, 4'096, vector_frame(), 0},
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
  expect_vector(
      to_hex(bytes),
      "4c5a565041434b01020000000000000068690a030000000300000098ea6e4f216f2fb4b69fff9b3a4484"
      "2c38686ca685f3f55dc48c5d3fb1107be47d079b5fe952a37af07212def8bad21eeb4618b55c5edb7ab5"
      "be1536344387e11300000001000000020000000000000000000000000000004c5a5650454e4401");
  expect_vector(builder.name().hex(),
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
  expect_vector(key.public_key().text(),
                "ed25519:8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c");
  // Read, not made again: another libzstd may compress the roots to other bytes.
  const std::string_view with_key =
      "6c617a79766f6c2d686561640a0100000011111111111111111111111111111111010000000000000000"
      "0000000000000000000000000000000000000000000000008080d0e2c6bfce972f0002ed030000000f0e"
      "808008000000000000003c1528b52ffd203c6500002001001000020000131f000b0e0e02000000000000"
      "00000000000000018a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5cbe7d"
      "c83e7fa6b5cc184b5351aaa37573564f2a85b0cee931ff9b9af0971d033303dd4a9966090ceb4f11852a"
      "5143337c9379dd9ab52f22d3127a295ea68c7a04";
  const std::string_view without =
      "6c617a79766f6c2d686561640a0100000011111111111111111111111111111111010000000000000000"
      "0000000000000000000000000000000000000000000000008080d0e2c6bfce972f0002ed030000000f0e"
      "808008000000000000003c1528b52ffd203c6500002001001000020000131f000b0e0e02000000000000"
      "000000000000000038fe2410579b48e1290b42f3e0ef98794d33dccfa9048f572ebdffbc704357d1";
  for (const std::string_view vector : {with_key, without}) {
    expect_vector(std::string(vector), vector);
    const auto read = parse_head(from_hex(vector));
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->head, head);
    EXPECT_EQ(read->signer.has_value(), vector == with_key);
  }
  EXPECT_EQ(parse_head(from_hex(with_key))->signer, key.public_key());
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
  expect_vector(content_key(vector_entries()[1]).hex(), "45c65f1cc062f6fccf4f5acb74688ca0");
}

}  // namespace
}  // namespace lazyvol::catalog
