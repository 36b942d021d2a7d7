#include "fetch/frame_memory.h"

#include <gtest/gtest.h>

#include <random>

namespace lazyvol::fetch {
namespace {

FrameId id(std::uint64_t number, FrameKind kind = FrameKind::data) {
  return {catalog::sha256(std::to_string(number)), 100, kind};
}
FrameBytes bytes(std::size_t size) {
  return std::make_shared<const std::string>(size, 'x');
}

TEST(FrameMemory, TheOneUnusedLongestLeaves) {
  FrameMemory memory(0, 3 * 1'256);
  for (std::uint64_t i = 0; i < 3; ++i) memory.insert(id(i), bytes(1'000));
  EXPECT_NE(memory.find(id(0)), nullptr);
  memory.insert(id(3), bytes(1'000));
  EXPECT_TRUE(memory.has(id(0)));
  EXPECT_FALSE(memory.has(id(1)));
  memory.used_up(id(0));
  memory.insert(id(4), bytes(1'000));
  EXPECT_FALSE(memory.has(id(0)));
  EXPECT_TRUE(memory.has(id(2)));
  memory.erase(id(2));
  memory.erase(id(2));
  EXPECT_EQ(memory.find(id(2)), nullptr);
  memory.clear();
  EXPECT_EQ(memory.bytes(), 0u);
}

TEST(FrameMemory, KindsAreApart) {
  FrameMemory memory(10'000, 10'000);
  memory.insert(id(1, FrameKind::page), bytes(9'000));
  EXPECT_EQ(memory.find(id(1)), nullptr);
  EXPECT_EQ(memory.find(id(1, FrameKind::map)), nullptr);
  memory.insert(id(1), bytes(9'000));
  EXPECT_TRUE(memory.has(id(1, FrameKind::page)));
}

TEST(FrameMemory, NeverMoreThanItsLimit) {
  constexpr std::uint64_t kLimit = 50'000;
  FrameMemory memory(kLimit, kLimit);
  memory.insert(id(7), bytes(kLimit));
  EXPECT_EQ(memory.bytes(), 0u);
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const auto any = id(random() % 100);
    switch (random() % 4) {
      case 0:
        (void)memory.find(any);
        break;
      case 1:
        memory.used_up(any);
        break;
      case 2:
        if (random() % 4 == 0) memory.erase(any);
        break;
      default:
        memory.insert(any, bytes(random() % 9'000));
    }
    ASSERT_LE(memory.bytes(), kLimit);
  }
}

}  // namespace
}  // namespace lazyvol::fetch
