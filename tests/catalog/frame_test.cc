#include "catalog/frame.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <random>

#include "hostile.h"

namespace lazyvol::catalog {
namespace {

std::string noise(std::size_t size) {
  std::mt19937_64 random(5);
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text.push_back(static_cast<char>(random()));
  return text;
}

FrameRef place(const EncodedFrame& frame) {
  return frame.at(sha256("pack"), 16);
}

TEST(Frame, ComesBack) {
  for (const std::string& raw : {std::string("x"), std::string(131'072, 'z'), noise(100'000),
                                 noise(1), std::string(kMaxFrameRaw, '\0')}) {
    const auto frame = encode_frame(raw, 3);
    ASSERT_TRUE(frame.ok());
    EXPECT_EQ(*decode_frame(place(*frame), frame->bytes), raw);
  }
}

TEST(Frame, IsKeptAsItIsWhenCompressionSavesLittle) {
  // 100 bytes in 3,000 that repeat save just over 3 %.
  const std::string raw = noise(20'000);
  const auto kept = encode_frame(raw, 3);
  EXPECT_EQ(kept->bytes, raw);
  const auto shrunk = encode_frame(raw + std::string(1'000, 'a'), 3);
  EXPECT_LT(shrunk->bytes.size(), 21'000 * 97 / 100);
  EXPECT_EQ(encode_frame(raw + std::string(500, 'a'), 3)->bytes.size(), 20'500);
}

TEST(Frame, RefusesNothingAndTooMuch) {
  EXPECT_EQ(encode_frame("", 3).error().code, Code::invalid_argument);
  EXPECT_EQ(encode_frame("x", 0).error().code, Code::invalid_argument);
  EXPECT_EQ(encode_frame("x", 20).error().code, Code::invalid_argument);
  EXPECT_EQ(encode_frame(std::string(kMaxFrameRaw + 1, 'x'), 3).error().code, Code::too_large);
}

TEST(Frame, EveryDamageIsFound) {
  const auto frame = encode_frame(std::string(2'000, 'q') + noise(100), 3);
  with_damage(frame->bytes, 500, [&](std::string_view bytes) {
    if (bytes == frame->bytes) return;
    const auto read = decode_frame(place(*frame), bytes);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code, Code::corrupt);
  });
}

TEST(Frame, WhatItsHeaderSaysOfItsLengthIsNotBelieved) {
  // A frame of 64 MiB of zeros, under a reference that promises 1,000 bytes: the hash is right.
  const std::string zeros(64U << 20, '\0');
  std::string bomb(ZSTD_compressBound(zeros.size()), '\0');
  bomb.resize(ZSTD_compress(bomb.data(), bomb.size(), zeros.data(), zeros.size(), 3));
  FrameRef ref;
  ref.stored = static_cast<std::uint32_t>(bomb.size());
  ref.hash = sha256(bomb);
  for (const std::uint32_t raw : {ref.stored + 1, ref.stored + 1'000, kMaxFrameRaw}) {
    ref.raw = raw;
    EXPECT_EQ(decode_frame(ref, bomb).error().code, Code::corrupt);
  }
  ref.raw = kMaxFrameRaw + 1;
  EXPECT_EQ(decode_frame(ref, bomb).error().code, Code::corrupt);
}

TEST(Frame, AShortOneIsRefused) {
  const auto frame = encode_frame(std::string(2'000, 'q'), 3);
  FrameRef ref = place(*frame);
  ref.raw = 2'001;
  EXPECT_EQ(decode_frame(ref, frame->bytes).error().code, Code::corrupt);
}

TEST(Decompress, TakesAnyBytes) {
  const auto stored = compress(std::string(3'000, 'q') + noise(30), 19);
  with_damage(*stored, 2'000, [&](std::string_view bytes) {
    const auto read = decompress(bytes, 3'030);
    if (read.ok()) {
      EXPECT_EQ(read->size(), 3'030);
    }
  });
}

TEST(Digest, IsSha256) {
  EXPECT_EQ(sha256("abc").hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 parts;
  parts.update("a");
  parts.update("");
  parts.update("bc");
  EXPECT_EQ(parts.finish(), sha256("abc"));
}

}  // namespace
}  // namespace lazyvol::catalog
