#include "catalog/pack.h"

#include <gtest/gtest.h>

#include "hostile.h"

namespace lazyvol::catalog {
namespace {

struct Made {
  std::string bytes;
  Digest name;
  std::vector<FrameRef> frames;
};

Made make(const std::vector<std::string>& contents, PackKind kind = PackKind::data) {
  PackBuilder builder(kind);
  Made made;
  made.bytes = builder.begin();
  std::vector<EncodedFrame> frames;
  std::vector<std::uint32_t> offsets;
  for (const std::string& content : contents) {
    frames.push_back(*encode_frame(content, 3));
    offsets.push_back(*builder.add(frames.back()));
    EXPECT_EQ(offsets.back(), made.bytes.size());
    made.bytes += frames.back().bytes;
    EXPECT_EQ(builder.size(), made.bytes.size());
  }
  made.bytes += builder.finish();
  made.name = builder.name();
  for (std::size_t i = 0; i < frames.size(); ++i) {
    made.frames.push_back(frames[i].at(made.name, offsets[i]));
  }
  return made;
}

TEST(Pack, IsNamedByItsBytes) {
  const Made made = make({"first", std::string(5'000, 'x'), "third"});
  EXPECT_EQ(made.name, sha256(made.bytes));
  EXPECT_EQ(pack_path(made.name), "packs/" + made.name.hex().substr(0, 2) + "/" + made.name.hex());
  EXPECT_EQ(make({"first", std::string(5'000, 'x'), "third"}).name, made.name);
  EXPECT_NE(make({"first"}, PackKind::metadata).name, make({"first"}).name);
}

TEST(Pack, ListsItsFramesWithoutTheCatalog) {
  const Made made = make({"first", std::string(5'000, 'x'), "third"});
  const auto trailer =
      parse_pack_trailer(std::string_view(made.bytes).substr(made.bytes.size() - kPackTrailerBytes),
                         made.bytes.size());
  ASSERT_TRUE(trailer.ok());
  EXPECT_EQ(trailer->frames, 3);
  const auto frames = parse_pack_index(
      made.name, *trailer,
      std::string_view(made.bytes).substr(trailer->index_offset, trailer->index_bytes));
  EXPECT_EQ(*frames, made.frames);
  EXPECT_EQ(*verify_pack(made.name, made.bytes), made.frames);
  for (const FrameRef& frame : *frames) {
    EXPECT_TRUE(
        decode_frame(frame, std::string_view(made.bytes).substr(frame.offset, frame.stored)).ok());
  }
}

TEST(Pack, MayBeEmpty) {
  const Made made = make({});
  EXPECT_EQ(made.bytes.size(), kPackHeaderBytes + kPackTrailerBytes);
  EXPECT_TRUE(verify_pack(made.name, made.bytes)->empty());
}

TEST(Pack, VerifyFindsEveryDamage) {
  const Made made = make({"first", "second"});
  with_damage(made.bytes, 500, [&](std::string_view bytes) {
    if (bytes == made.bytes) return;
    EXPECT_FALSE(verify_pack(made.name, bytes).ok());
    // Also when the name is that of the damaged bytes: nothing is read past the end.
    (void)verify_pack(sha256(bytes), bytes);
  });
}

TEST(Pack, OfALaterFormatIsSaidToBe) {
  Made made = make({"first"});
  made.bytes.back() = 2;
  EXPECT_EQ(verify_pack(made.name, made.bytes).error().code, Code::unsupported);
}

TEST(Pack, HasALimit) {
  PackBuilder builder(PackKind::data);
  builder.begin();
  EncodedFrame frame;
  frame.bytes.assign(kMaxFrameRaw, 'x');
  frame.raw = kMaxFrameRaw;
  bool was_full = false;
  while (builder.size() < kMaxPackBytes - 2 * kMaxFrameRaw) {
    ASSERT_TRUE(builder.add(frame).ok());
    EXPECT_EQ(builder.is_full(), builder.size() >= kPackTarget);
    was_full = was_full || builder.is_full();
  }
  EXPECT_TRUE(was_full);
  while (builder.add(frame).ok()) {
  }
  EXPECT_EQ(builder.add(frame).error().code, Code::too_large);
  EXPECT_LE(builder.size() + builder.finish().size(), kMaxPackBytes);
}

}  // namespace
}  // namespace lazyvol::catalog
