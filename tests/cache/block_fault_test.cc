// A disk that takes no writes costs a mount nothing but its cache.
#include <sys/mount.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <mutex>
#include <thread>

#include "block_support.h"

namespace lazyvol::cache::testing {
namespace {

constexpr std::uint64_t kSmall = 300 * kKiB;
constexpr std::uint64_t kLarge = 3 * kMiB;

// Fails operations that begin with a text, while it is set.
class Faults {
 public:
  void fail(std::string start, int errnum) {
    const std::lock_guard lock(mutex_);
    start_ = std::move(start);
    errnum_ = errnum;
  }
  void stop() { fail("", 0); }
  int operator()(std::string_view what) {
    const std::lock_guard lock(mutex_);
    return errnum_ != 0 && what.starts_with(start_) ? errnum_ : 0;
  }

 private:
  std::mutex mutex_;
  std::string start_;
  int errnum_ = 0;
};

void wait_until(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "never happened";
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

class Fault : public BlockCacheTest, public ::testing::WithParamInterface<std::uint64_t> {
 protected:
  CacheOptions faulty() {
    auto with = options();
    with.probe_interval = std::chrono::milliseconds(20);
    with.commit_interval = std::chrono::milliseconds(20);
    with.fault = [this](std::string_view what) { return faults_(what); };
    return with;
  }
  Faults faults_;
};

TEST_P(Fault, FailedWriteSuspendsAndComesBack) {
  const auto cache = open(faulty());
  const auto content = cache->content(key_of(1), GetParam());
  ASSERT_TRUE(store_block(*content, 1, 0).ok());
  faults_.fail("", EIO);
  EXPECT_EQ(store_block(*content, 1, 1).error().code, Code::io_error);
  EXPECT_FALSE(content->has(1));
  auto stats = cache->stats();
  EXPECT_FALSE(stats.writable);
  EXPECT_FALSE(stats.writable_reason.empty());
  EXPECT_FALSE(store_block(*content, 1, 1).ok());
  EXPECT_GE(cache->stats().bypassed_blocks, 2U);
  faults_.stop();
  wait_until([&] { return cache->stats().writable; });
  EXPECT_TRUE(store_block(*content, 1, 1).ok());
  EXPECT_TRUE(read_right(*content, 1, 1));
}

TEST_P(Fault, FailedCreate) {
  const auto cache = open(faulty());
  const auto content = cache->content(key_of(1), GetParam());
  faults_.fail("create", EROFS);
  EXPECT_EQ(store_block(*content, 1, 0).error().code, Code::read_only);
  EXPECT_FALSE(cache->stats().writable);
  faults_.stop();
  wait_until([&] { return cache->stats().writable; });
  store_all(*content, 1);
  EXPECT_EQ(hits_of(*content, 1), content->layout().count());
}

TEST_P(Fault, FailedSyncDropsWhatItWasFor) {
  auto with = faulty();
  with.commit_interval = std::chrono::hours(1);
  with.probe_interval = std::chrono::hours(1);
  {
    const auto cache = open(with);
    const auto content = cache->content(key_of(1), GetParam());
    ASSERT_TRUE(store_block(*content, 1, 0).ok());
    ASSERT_TRUE(cache->commit().ok());
    ASSERT_TRUE(store_block(*content, 1, 1).ok());
    faults_.fail("sync", EIO);
    EXPECT_EQ(cache->commit().error().code, Code::io_error);
    EXPECT_TRUE(read_right(*content, 1, 0));
    static_cast<void>(read_right(*content, 1, 1));
    EXPECT_FALSE(cache->stats().writable);
    EXPECT_EQ(cache->stats().bypassed_blocks, 1U);
    faults_.stop();
  }
  const auto cache = open();
  const auto content = cache->content(key_of(1), GetParam());
  EXPECT_TRUE(read_right(*content, 1, 0));
  EXPECT_FALSE(content->has(1));
}

INSTANTIATE_TEST_SUITE_P(Sizes, Fault, ::testing::Values(kSmall, kLarge),
                         [](const auto& at) { return at.param == kSmall ? "slab" : "object"; });

class FullDisk : public BlockCacheTest {
 protected:
  void SetUp() override {
    disk_ = temp_.path() / "disk";
    std::filesystem::create_directories(disk_);
    if (::mount("tmpfs", disk_.c_str(), "tmpfs", 0, "size=96m") != 0) {
      GTEST_SKIP() << "needs the right to mount a tmpfs";
    }
    mounted_ = true;
  }
  void TearDown() override {
    if (mounted_) ::umount2(disk_.c_str(), MNT_DETACH);
  }
  CacheOptions on_disk() {
    auto with = options();
    with.dir = disk_ / "cache";
    with.probe_interval = std::chrono::milliseconds(20);
    with.commit_interval = std::chrono::milliseconds(20);
    return with;
  }
  void fill_disk() {
    std::ofstream other(disk_ / "other");
    const std::string bytes(1 << 16, 'x');
    while (other.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush()) {
    }
  }
  std::filesystem::path disk_;
  bool mounted_ = false;
};

TEST_F(FullDisk, CacheWithoutSizeLivesWithinItsDisk) {
  const auto cache = open(on_disk());
  const auto large = cache->content(key_of(1), 256 * kMiB);
  for (std::uint64_t block = 0; block < large->layout().count(); ++block) {
    static_cast<void>(store_block(*large, 1, block));
    static_cast<void>(read_right(*large, 1, block));
  }
  EXPECT_GT(hits_of(*large, 1), blocks_in(8 * kMiB));
  EXPECT_GT(std::filesystem::space(disk_).available, 4 * kMiB);
}

TEST_F(FullDisk, SomeoneElseFillsIt) {
  const auto cache = open(on_disk());
  const auto large = cache->content(key_of(1), 32 * kMiB);
  const auto small = cache->content(key_of(2), kSmall);
  store_all(*large, 1);
  store_all(*small, 2);
  fill_disk();
  for (std::uint64_t i = 0; i < 200; ++i) {
    const auto more = cache->content(key_of(100 + i), i % 2 == 0 ? kSmall : kLarge);
    for (std::uint64_t block = 0; block < 2; ++block) {
      static_cast<void>(store_block(*more, 100 + i, block));
      static_cast<void>(read_right(*more, 100 + i, block));
    }
    static_cast<void>(read_right(*large, 1, i % blocks_in(32 * kMiB)));
  }
  static_cast<void>(hits_of(*large, 1));
  static_cast<void>(hits_of(*small, 2));
  std::filesystem::remove(disk_ / "other");
  wait_until([&] { return cache->stats().writable; });
  const auto after = cache->content(key_of(3), kLarge);
  store_all(*after, 3);
  EXPECT_EQ(hits_of(*after, 3), blocks_in(kLarge));
}

TEST_F(FullDisk, ReadOnlyDirectoryIsRefused) {
  ASSERT_EQ(::mount(nullptr, disk_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  const auto cache = BlockCache::open(on_disk());
  ASSERT_FALSE(cache.ok());
  EXPECT_EQ(cache.error().code, Code::read_only);
  EXPECT_NE(cache.error().message.find(disk_.string()), std::string::npos);
}

}  // namespace
}  // namespace lazyvol::cache::testing
