// The words that we add to the protocol by hand, as the kernel's header has them.
#include "fuse/passthrough_wire.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace lazyvol::fuse::wire {
namespace {

using Bytes = std::vector<std::byte>;

void put(Bytes& bytes, std::size_t at, std::uint64_t value, std::size_t length) {
  if (bytes.size() < at + length) bytes.resize(at + length);
  std::memcpy(bytes.data() + at, &value, length);
}

std::uint64_t get(std::span<const std::byte> bytes, std::size_t at, std::size_t length) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data() + at, length);
  return value;
}

// struct fuse_in_header (40 bytes), struct fuse_init_in: major, minor, max_readahead, flags,
// flags2.
Bytes init_request(std::uint32_t flags, std::uint32_t flags2) {
  Bytes request;
  put(request, 0, 104, 4);
  put(request, 4, 26, 4);  // FUSE_INIT
  put(request, 8, 77, 8);
  put(request, 40, 7, 4);
  put(request, 44, 45, 4);
  put(request, 52, flags, 4);
  put(request, 56, flags2, 4);
  request.resize(104);
  return request;
}

TEST(PassthroughWire, SeesTheKernelsOffer) {
  const auto init = parse_init(init_request(1U << 30, 1U << 5));
  ASSERT_TRUE(init.has_value());
  EXPECT_EQ(init->unique, 77u);
  EXPECT_TRUE(init->offers_passthrough);
  EXPECT_FALSE(parse_init(init_request(1U << 30, 0))->offers_passthrough);
  EXPECT_FALSE(parse_init(init_request(0, 1U << 5))->offers_passthrough) << "flags2 do not count";
}

TEST(PassthroughWire, OtherAndShortRequestsAreNone) {
  auto request = init_request(1U << 30, 1U << 5);
  put(request, 4, 1, 4);
  EXPECT_FALSE(parse_init(request).has_value());
  EXPECT_FALSE(parse_init(Bytes(39)).has_value());
  EXPECT_FALSE(parse_init({}).has_value());
  const auto old = init_request(1U << 30, 1U << 5);
  const auto cut = parse_init(std::span(old).first(40 + 16));  // before flags2 were
  ASSERT_TRUE(cut.has_value());
  EXPECT_FALSE(cut->offers_passthrough);
}

TEST(PassthroughWire, AcceptingChangesThreeWords) {
  Bytes reply(64, std::byte{0});
  put(reply, 12, 0x21, 4);
  put(reply, 32, 0x8, 4);
  ASSERT_TRUE(accept_passthrough(reply));
  EXPECT_EQ(get(reply, 12, 4), 0x21u | 1U << 30);
  EXPECT_EQ(get(reply, 32, 4), 0x8u | 1U << 5);
  EXPECT_EQ(get(reply, 36, 4), 1u);
  Bytes old(24);
  EXPECT_FALSE(accept_passthrough(old));
}

TEST(PassthroughWire, AnOpenReplyNamesTheFile) {
  const auto reply = open_reply(0x1122334455667788, 9);
  EXPECT_EQ(get(reply, 0, 8), 0x1122334455667788u);
  EXPECT_EQ(get(reply, 8, 4), 1u << 7 | 1u << 5);
  EXPECT_EQ(get(reply, 12, 4), 9u);
}

TEST(PassthroughWire, RepliesNameTheirRequest) {
  Bytes header;
  put(header, 0, 80, 4);
  put(header, 8, 4711, 8);
  EXPECT_EQ(reply_to(header), 4711u);
  EXPECT_EQ(reply_to(Bytes(8)), 0u);
}

}  // namespace
}  // namespace lazyvol::fuse::wire
