// Bytes that changed on the disk are never given to a reader.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "block_support.h"

namespace lazyvol::cache::testing {
namespace {

constexpr std::uint64_t kSmall = 300 * kKiB;
constexpr std::uint64_t kLarge = 3 * kMiB;

class Damage : public BlockCacheTest, public ::testing::WithParamInterface<std::uint64_t> {
 protected:
  std::filesystem::path data_file() const {
    return temp_.path() / "cache" /
           (GetParam() == kSmall ? "slabs/1" : "objects/01/0000000000000001");
  }
  void flip(std::uint64_t offset) const {
    const int fd = ::open(data_file().c_str(), O_RDWR);
    ASSERT_GE(fd, 0);
    char byte = 0;
    ASSERT_EQ(::pread(fd, &byte, 1, static_cast<off_t>(offset)), 1);
    byte = static_cast<char>(byte ^ 0x10);
    ASSERT_EQ(::pwrite(fd, &byte, 1, static_cast<off_t>(offset)), 1);
    ::close(fd);
  }
  void store_and_close() {
    const auto cache = open();
    store_all(*cache->content(key_of(1), GetParam()), 1);
  }
};

TEST_P(Damage, FlippedBitIsAMissAndIsMended) {
  store_and_close();
  flip(1000);
  const auto cache = open();
  const auto content = cache->content(key_of(1), GetParam());
  EXPECT_FALSE(read_right(*content, 1, 0, 50'000, 10));  // not the bytes that changed
  EXPECT_EQ(cache->stats().corrupt_blocks, 1U);
  EXPECT_FALSE(content->has(0));
  EXPECT_TRUE(read_right(*content, 1, 1));
  ASSERT_TRUE(store_block(*content, 1, 0).ok());
  EXPECT_EQ(hits_of(*content, 1), content->layout().count());
  EXPECT_EQ(cache->stats().corrupt_blocks, 1U);
}

TEST_P(Damage, OwnBytesAreVerifiedOnceTheyWereWritten) {
  const auto cache = open();
  const auto content = cache->content(key_of(1), GetParam());
  store_all(*content, 1);
  ASSERT_TRUE(cache->commit().ok());
  flip(1000);
  EXPECT_FALSE(read_right(*content, 1, 0));
  EXPECT_EQ(cache->stats().corrupt_blocks, 1U);
}

TEST_P(Damage, DropsAreRemembered) {
  store_and_close();
  flip(1000);
  {
    const auto cache = open();
    EXPECT_FALSE(read_right(*cache->content(key_of(1), GetParam()), 1, 0));
  }
  flip(1000);  // right again, but not to be trusted
  const auto cache = open();
  const auto content = cache->content(key_of(1), GetParam());
  EXPECT_FALSE(content->has(0));
  EXPECT_EQ(hits_of(*content, 1), content->layout().count() - 1);
  EXPECT_EQ(cache->stats().corrupt_blocks, 0U);
}

TEST_P(Damage, ShortFile) {
  store_and_close();
  std::filesystem::resize_file(data_file(), model::kBlockSize + 4 * kKiB);
  const auto cache = open();
  const auto content = cache->content(key_of(1), GetParam());
  EXPECT_EQ(hits_of(*content, 1), 1U);
  EXPECT_EQ(cache->stats().corrupt_blocks, content->layout().count() - 1);
}

TEST_P(Damage, MissingFileIsAMissWithoutAlarm) {
  store_and_close();
  std::filesystem::remove(data_file());
  const auto cache = open();
  const auto content = cache->content(key_of(1), GetParam());
  EXPECT_EQ(hits_of(*content, 1), 0U);
  EXPECT_EQ(cache->stats().corrupt_blocks, 0U);
  store_all(*content, 1);
  EXPECT_EQ(hits_of(*content, 1), content->layout().count());
}

TEST_P(Damage, ReadErrorsAreMisses) {
  store_and_close();
  std::atomic<bool> failing{true};
  auto with = options();
  with.read_fault = [&](std::string_view what) {
    const bool footer = what.empty();
    return failing && !footer ? EIO : 0;
  };
  const auto cache = open(with);
  const auto content = cache->content(key_of(1), GetParam());
  EXPECT_FALSE(read_right(*content, 1, 0));
  EXPECT_EQ(cache->stats().corrupt_blocks, 1U);
  failing = false;
  EXPECT_EQ(hits_of(*content, 1), content->layout().count() - 1);
}

TEST_P(Damage, CheckFindsAllOfIt) {
  store_and_close();
  flip(1000);
  const auto cache = open();
  const auto content = cache->content(key_of(1), GetParam());
  store_all(*cache->content(key_of(2), kLarge), 2);
  store_all(*cache->content(key_of(3), kSmall), 3);
  int calls = 0;
  const auto report = cache->check([&](const CheckReport&) { return ++calls > 0; });
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->corrupt_blocks, 1U);
  EXPECT_EQ(report->blocks_checked,
            content->layout().count() + blocks_in(kLarge) + blocks_in(kSmall));
  EXPECT_EQ(report->bytes_checked, GetParam() + kLarge + kSmall);
  EXPECT_GE(calls, 1);
  EXPECT_EQ(cache->stats().corrupt_blocks, 1U);
  EXPECT_FALSE(content->has(0));
  const auto again = cache->check(nullptr);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->corrupt_blocks, 0U);
}

TEST_P(Damage, CheckCanBeEnded) {
  const auto cache = open();
  for (std::uint64_t i = 0; i < 300; ++i) store_all(*cache->content(key_of(i), 1000), i);
  const auto report = cache->check([](const CheckReport&) { return false; });
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->blocks_checked, 64U);
}

INSTANTIATE_TEST_SUITE_P(Sizes, Damage, ::testing::Values(kSmall, kLarge),
                         [](const auto& at) { return at.param == kSmall ? "slab" : "object"; });

}  // namespace
}  // namespace lazyvol::cache::testing
